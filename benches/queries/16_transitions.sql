-- How often one event follows another within sessions.
SELECT source, target, count, probability FROM transitions(touchpoints)
