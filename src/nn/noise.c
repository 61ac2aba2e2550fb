/// Exploration noise that is added to a policy's action.
///
/// Normal: a += sigma n. Ornstein-Uhlenbeck: x += -theta x dt + sigma sqrt(dt) n, a += x, and x = 0
/// at the start of an episode.
/// Source: Uhlenbeck and Ornstein, 1930; Lillicrap et al., 2016.
#include "nn/noise.h"
#include "base/base.h"
#include "ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

CelStatus celi_noise_declare(CeliNoise *noise, CelTensors *tensors, const char *name,
                             CeliNoiseKind kind, int64_t N, int64_t A, double sigma, double theta,
                             double dt, uint64_t seed) {
  char full[CEL_NAME_MAX + 16];
  const int64_t matrix[] = {N, A};
  memset(noise, 0, sizeof *noise);
  *noise = (CeliNoise){.kind = kind,
                       .N = N,
                       .A = A,
                       .sigma = sigma,
                       .theta = theta,
                       .dt = dt,
                       .limit = 1,
                       .seed = seed};
  if (kind != CELI_NOISE_NORMAL && kind != CELI_NOISE_OU) return CEL_OK;
  if (!(sigma >= 0) || !(theta >= 0) || !(dt >= 0))
    return cel_fail(CEL_E_RANGE, "noise \"%s\": sigma %g, theta %g and dt %g must not be negative",
                    name, sigma, theta, dt);
  snprintf(full, sizeof full, "%s.counter", name);
  CELI_TRY(cel_tensors_declare(tensors, full, CEL_U64, CEL_STATE, &noise->counter, 1, matrix));
  if (kind != CELI_NOISE_OU) return CEL_OK;
  snprintf(full, sizeof full, "%s.x", name);
  return cel_tensors_declare(tensors, full, CEL_F64, CEL_STATE, &noise->x, 2, matrix);
}

/// NaN stays NaN.
static float clip(double x, double limit) {
  return (float)(x < -limit ? -limit : x > limit ? limit : x);
}

/// One environment's action (A,); x (A,) is NULL for normal noise.
static void add_row(const CeliNoise *noise, float *action, double *x, int64_t i) {
  enum { CHUNK = 64 }; // whole blocks
  float n[CHUNK];
  const double spread = noise->sigma * sqrt(noise->dt);
  for (int64_t at = 0; at < noise->A; at += CHUNK) {
    const int64_t count = noise->A - at < CHUNK ? noise->A - at : CHUNK;
    celi_ops()->normal(n, noise->seed, CEL_RNG_EXPLORE, (uint32_t)i,
                       noise->counter[i] + (uint64_t)at / 4, 0, count);
    for (int64_t a = 0; a < count; a++) {
      double add = noise->sigma * (double)n[a];
      if (x != NULL) {
        x[at + a] += -noise->theta * x[at + a] * noise->dt + spread * (double)n[a];
        add = x[at + a];
      }
      action[at + a] = clip((double)action[at + a] + add, noise->limit);
    }
  }
}

void celi_noise_add(CeliNoise *noise, float *action, const uint8_t *start) {
  const int64_t A = noise->A;
  if (noise->kind != CELI_NOISE_NORMAL && noise->kind != CELI_NOISE_OU) return;
  for (int64_t i = 0; i < noise->N; i++) {
    double *x = noise->kind == CELI_NOISE_OU ? noise->x + i * A : NULL;
    if (x != NULL && start[i]) memset(x, 0, (size_t)A * sizeof *x);
    add_row(noise, action + i * A, x, i);
    noise->counter[i] += (uint64_t)(A + 3) / 4;
  }
}
