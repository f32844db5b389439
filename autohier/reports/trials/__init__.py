"""Tables on the trials of a sweep: leaderboard, front, importances, confirmation, agreement of the best."""
