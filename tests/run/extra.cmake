# test_interrupted.c makes the library's clock run fast.
target_link_options(run_test_interrupted PRIVATE -Wl,--wrap=celi_nanoseconds)
# test_vanishing.c deletes a checkpoint during these two calls.
target_link_options(run_test_vanishing PRIVATE
  -Wl,--wrap=cel_safetensors_open -Wl,--wrap=cel_agent_create)
