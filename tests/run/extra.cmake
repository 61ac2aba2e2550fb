# test_interrupted.c makes the library's clock run fast.
target_link_options(run_test_interrupted PRIVATE -Wl,--wrap=celi_nanoseconds)
