# test_vanishing.c deletes a checkpoint during these two calls.
target_link_options(run_test_vanishing PRIVATE
  -Wl,--wrap=cel_safetensors_open -Wl,--wrap=cel_agent_create)
