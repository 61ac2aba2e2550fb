# test_memory.c hears what a solve asks for.
target_link_options(mdp_test_memory PRIVATE -Wl,--wrap=celi_memory_room)
