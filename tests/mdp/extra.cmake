# test_memory.c records the memory that a solve requests.
target_link_options(mdp_test_memory PRIVATE -Wl,--wrap=celi_memory_room)
