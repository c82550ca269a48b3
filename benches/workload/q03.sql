-- Sessions by entry channel. A pause of more than 30 minutes ends a session, one of exactly 30 does not. The entry
-- channel is that of the first event; a bounce is a session of one event.
-- floor: user_id, ts, channel
SELECT entry_channel, count(*) AS sessions, sum(events) AS events, count(*) FILTER (WHERE events = 1) AS bounces
FROM sessions(touchpoints)
GROUP BY entry_channel
