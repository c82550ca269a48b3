SELECT * FROM transitions(touchpoints)
