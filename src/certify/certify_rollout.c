/// A batch of episodes of a policy without the time limit, so that discounted sums are those of an
/// infinite horizon.
///
/// Episode i starts from stream (seed, CEL_RNG_EVAL, i), as in evaluations. An environment is not
/// stepped after its episode ended.
#include "certify/certify.h"
#include <math.h>
#include <stdlib.h>

CelStatus celi_rollouts_open(CeliRollouts *rollouts, const CelEnvSpec *spec, int64_t N,
                             uint64_t seed) {
  *rollouts = (CeliRollouts){.spec = *spec, .running = N};
  rollouts->spec.max_episode_steps = 0;
  CELI_TRY(cel_tensors_create(&rollouts->tensors));
  CELI_TRY(cel_vecenv_declare(&rollouts->env, rollouts->tensors, "env", &rollouts->spec, N, seed,
                              CEL_RNG_EVAL, 0));
  CELI_TRY(
      cel_tensors_declare(rollouts->tensors, "done", CEL_U8, CEL_SCRATCH, &rollouts->done, 1, &N));
  CELI_TRY(cel_tensors_allocate(rollouts->tensors));
  return cel_vecenv_reset(&rollouts->env);
}

CelStatus celi_rollouts_step(CeliRollouts *rollouts, const void *actions) {
  const int64_t N = rollouts->env.N;
  for (int64_t begin = 0, end; begin < N; begin = end + 1) {
    while (begin < N && rollouts->done[begin]) begin++;
    for (end = begin; end < N && !rollouts->done[end];) end++;
    if (begin < end) CELI_TRY(cel_vecenv_step(&rollouts->env, actions, begin, end));
  }
  for (int64_t i = 0; i < N; i++) {
    if (rollouts->done[i] || !rollouts->env.terminated[i]) continue;
    rollouts->done[i] = 2; // ended in this step
    rollouts->running--;
  }
  rollouts->t++;
  return CEL_OK;
}

void celi_rollouts_close(CeliRollouts *rollouts) {
  cel_tensors_destroy(rollouts->tensors);
  rollouts->tensors = NULL;
}

enum { MOST = 20000 }; // steps of a rollout

/// The number of steps t after which gamma^t is below 1e-4.
static double steps_of(double gamma) {
  return gamma > 0 ? ceil(log(1e-4) / log(gamma)) : 1;
}

int64_t celi_rollouts_length(double gamma) {
  const double steps = steps_of(gamma);
  return steps < 1 ? 1 : steps > MOST ? MOST : (int64_t)steps;
}

CelStatus celi_rollouts_check(double gamma) {
  if (steps_of(gamma) <= MOST) return CEL_OK;
  return cel_fail(CEL_E_RANGE,
                  "gamma is %g; rollouts would need %.3g steps, but the limit is %d; give a "
                  "discount of at most %.4f (--gamma)",
                  gamma, steps_of(gamma), (int)MOST, floor(pow(1e-4, 1.0 / MOST) * 1e4) / 1e4);
}
