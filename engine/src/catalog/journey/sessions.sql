SELECT * FROM sessions(touchpoints)
