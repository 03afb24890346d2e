"""The cases of the speed suite: each times one step against what a user would write."""
