"""Search for the fastest or smallest model within an accuracy budget: propose, make, judge, time, choose."""
