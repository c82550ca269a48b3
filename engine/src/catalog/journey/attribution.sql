SELECT * FROM attribution(touchpoints)
