-- People who clicked an ad at most 24 hours before they signed up, which they do once, and purchased later without a
-- support chat between the two. The window of the second funnel is longer than any data.
-- floor: user_id, ts, event
SELECT count(*) AS users
FROM (
    SELECT user_id
    FROM touchpoints
    WHERE event IN ('ad_click', 'signup', 'purchase', 'support_chat')
    GROUP BY user_id
    HAVING
        window_funnel(INTERVAL '24 hours', ts, event = 'ad_click', event = 'signup') = 2
        AND window_funnel(
            INTERVAL '100000 days', 'strict_steps', ts,
            event = 'signup', event = 'purchase', event = 'support_chat'
        ) >= 2
) AS people
