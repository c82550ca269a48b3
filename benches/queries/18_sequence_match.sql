-- A pattern with a gate, a negation and repetition.
SELECT count(*) FILTER (WHERE matched) AS people
FROM (
    SELECT sequence_match('(?product_view)(?t<=1d)(?add_to_cart)(?!support_chat)*(?purchase)', ts,
                          event = 'product_view', event = 'add_to_cart', event = 'support_chat', event = 'purchase')
               AS matched
    FROM touchpoints
    GROUP BY user_id
)
