"""Side-by-side measurements. `make bench` runs them all; `make bench BENCH_ARGS=dns` one of them.

Every figure that is compared comes from one run in which the contestants alternate; medians and ratios are printed, with the CPU time that the
servers spent on a unit of work, which a busy machine disturbs far less than wall time.
"""
