//! weblog_2015, loaded as a user would, against its figures of paths and transitions.

use super::answers::assert_close;
use super::weblog::load;

#[test]
fn paths_of_sessions() {
    let log = load();
    for (key, collapse) in
        [("top_session_paths_page_group", false), ("top_session_paths_page_group_collapsed", true)]
    {
        log.assert_tuples(
            log.at(&[key]),
            &format!(
                "SELECT path, count FROM top_paths(pages, node => page_group, sequence => line_no,
                     collapse => {collapse}, top => 15) ORDER BY count DESC, path"
            ),
        );
    }
}

/// The states of the Markov model: one touch for each session, up to the first that comes to the projects.
#[test]
fn transitions_between_channels() {
    let log = load();
    let sessions = "sessions(pages, sequence => line_no, gap => INTERVAL '30 minutes',
                             conversion => page_group = '/projects')";
    let journeys = format!(
        "(WITH s AS (SELECT user_id, session_number, entry_channel, conversions > 0 AS converts,
                            min(CASE WHEN conversions > 0 THEN session_number END) OVER (PARTITION BY user_id) AS first
                     FROM {sessions})
          SELECT user_id, 2 * session_number AS ts, entry_channel AS channel, 'session' AS event
          FROM s WHERE first IS NULL OR session_number <= first
          UNION ALL
          SELECT user_id, 2 * session_number + 1, NULL, 'conversion' FROM s WHERE session_number = first)"
    );
    let found = log.pairs(&format!(
        "SELECT concat(source, ' -> ', target) AS edge, probability
         FROM transitions({journeys}, node => channel, per => 'person', conversion => 'conversion')"
    ));
    let expected = log.object(&["attribution", "markov_order1", "transition_probability"]);
    assert_eq!(found.len(), expected.len());
    for (edge, probability) in expected {
        assert_close(&found[edge], probability, edge);
    }
}
