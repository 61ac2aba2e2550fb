/// Any bytes as a finite problem in safetensors. They are refused with a message, or they give a
/// valid problem, which the solver sweeps a few times.
#include "celsius/solve.h"
#include "fuzz/fuzz_mdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void solve(const CelMdp *mdp) {
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *solution;
  config.max_iterations = 3;
  if (mdp->states > 1000 || mdp->horizon > 100) return;
  if (cel_solve(mdp, &config, &solution) != CEL_OK) {
    if (cel_error()[0] == 0) abort();
    return;
  }
  // A horizon longer than the limit leaves the first time step, and so the value, unsolved.
  const bool unsolved = mdp->horizon > config.max_iterations;
  if (unsolved ? solution->certified : isnan(solution->bound) || isnan(solution->value_start))
    abort();
  cel_solution_destroy(solution);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CelSafetensors *file;
  CelMdp *mdp = NULL;
  if (cel_safetensors_open_bytes("fuzz", data, size, &file) != CEL_OK) return 0;
  const CelStatus status =
      celi_mdp_of_safetensors(&mdp, file, LOAD_DISCOUNT((double)NAN)); // takes the file
  if (!fuzz_read(status, mdp)) return 0;
  solve(mdp);
  cel_mdp_destroy(mdp);
  return 0;
}
