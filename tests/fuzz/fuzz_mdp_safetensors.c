/// Any bytes as a finite problem in safetensors: refused with a message, or a problem that keeps its promises, and that a
/// few sweeps over do no harm.
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
  if (isnan(solution->bound) || isnan(solution->value_start)) abort();
  cel_solution_destroy(solution);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CelSafetensors *file;
  CelMdp *mdp = NULL;
  if (cel_safetensors_open_bytes("fuzz", data, size, &file) != CEL_OK) return 0;
  const CelStatus status =
      celi_mdp_of_safetensors(&mdp, file, CELI_LOAD_DISCOUNT((double)NAN)); // takes the file
  if (!fuzz_read(status, mdp)) return 0;
  solve(mdp);
  cel_mdp_destroy(mdp);
  return 0;
}
