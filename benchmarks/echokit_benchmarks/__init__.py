"""The cases of the speed suite: each measures one stage against what a user would write."""
