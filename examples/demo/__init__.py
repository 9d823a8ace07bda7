"""`make demo`: the main job, seen from the outside, on a machine with Python alone."""
