"""The Ray session of a sweep: a local Ray, closed to other users, or a cluster that it joins."""
