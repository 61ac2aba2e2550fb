/// Generators of finite MDPs by name, and their shared functions.
///
/// To add a generator, add a file in this folder and a line below.
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "mdp/generators/generators.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const CelMdpGenerator *const generators[] = {
    &celi_mdp_frozenlake_4x4, &celi_mdp_frozenlake_8x8, &celi_mdp_frozenlake, &celi_mdp_taxi,
    &celi_mdp_cliffwalking,   &celi_mdp_grid,           &celi_mdp_garnet,     &celi_mdp_replacement,
    &celi_mdp_inventory,      &celi_mdp_consensus,      &celi_mdp_leader,     &celi_mdp_leader_sync,
    &celi_mdp_herman,         &celi_mdp_israeli_jalfon, &celi_mdp_nand,       &celi_mdp_brp,
    &celi_mdp_crowds,         &celi_mdp_csma,           &celi_mdp_wlan,       &celi_mdp_firewire,
};
enum { GENERATORS = sizeof generators / sizeof generators[0] };

const CelMdpGenerator *cel_mdp_generator_at(int i) {
  return i >= 0 && i < GENERATORS ? generators[i] : NULL;
}

CelStatus cel_mdp_generator_find(const char *name, const CelMdpGenerator **out) {
  CELI_NEED(name);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  if (!name || !name[0])
    return cel_fail(CEL_E_ARGUMENT,
                    "the name of the generator is empty; `celsius list mdps` lists all generators");
  CeliNearest nearest = {.wanted = name};
  for (int i = 0; i < GENERATORS; i++) {
    if (celi_name_equal(generators[i]->name, name)) {
      *out = generators[i];
      return CEL_OK;
    }
    celi_nearest_try(&nearest, generators[i]->name);
  }
  if (nearest.best) {
    return cel_fail(CEL_E_NAME, "there is no generator '%s'; did you mean '%s'?", name,
                    nearest.best);
  }
  return cel_fail(CEL_E_NAME,
                  "there is no generator '%s'; `celsius list mdps` lists all generators", name);
}

static CelStatus generate(CelMdp **out, const CelMdpGenerator *generator, const void *config) {
  CELI_TRY(cel_fields_check(generator->fields, config));
  return generator->make(out, config);
}

CelStatus cel_mdp_generate(CelMdp **out, const char *name, const void *config) {
  CELI_NEED(out);
  CELI_NEED(name);
  CELI_FLOATS(CELI_IEEE);
  const CelMdpGenerator *generator = NULL;
  CELI_TRY(cel_mdp_generator_find(name, &generator));
  void *defaults = NULL;
  if (!config) {
    CELI_TRY(celi_alloc(&defaults, 1, generator->config_size, "a generator's arguments"));
    memset(defaults, 0, generator->config_size);
    cel_fields_default(generator->fields, defaults);
  }
  const CelStatus status = generate(out, generator, config ? config : defaults);
  free(defaults);
  return cel_fail_in(status, "%s: ", generator->name);
}

// ---- shared functions

static CelStatus build(CelMdp **out, CelMdpBuilder *builder, const char *name, CeliMdpFill *fill,
                       const void *what) {
  CELI_TRY(cel_mdp_set_name(builder, name));
  CELI_TRY(fill(builder, what));
  return cel_mdp_build(builder, out);
}

CelStatus celi_mdp_make(CelMdp **out, const char *name, int64_t states, const CeliMdpCommon *common,
                        CeliMdpFill *fill, const void *what) {
  CelMdpBuilder *builder = NULL;
  CELI_TRY(cel_mdp_builder_create(&builder, states, common->gamma, common->horizon));
  const CelStatus status = build(out, builder, name, fill, what);
  cel_mdp_builder_destroy(builder);
  return status;
}

CelStatus celi_mdp_full_grid(CelMdpBuilder *builder, int64_t rows, int64_t columns,
                             const int8_t direction[4][2]) {
  int64_t *state = NULL;
  CELI_TRY(celi_alloc(&state, (size_t)(rows * columns), sizeof *state, "cells of a grid"));
  for (int64_t cell = 0; cell < rows * columns; cell++) state[cell] = cell;
  const CelMdpGrid grid = {
      .rows = rows, .columns = columns, .state = state, .direction = direction[0], .actions = 4};
  const CelStatus status = cel_mdp_set_grid(builder, &grid);
  free(state);
  return status;
}

/// Divides by the sum. Adds from both ends so that small numbers come first.
static void normalize(double *pmf, int64_t n) {
  double sum = 0;
  int64_t low = 0, high = n - 1;
  while (low <= high) sum += pmf[low] < pmf[high] ? pmf[low++] : pmf[high--];
  for (int64_t i = 0; i < n; i++) pmf[i] /= sum;
}

/// Uses ratios of neighbors, starting from the mode, so that no relevant number over- or
/// underflows. With p = 1 all others are x/inf = 0.
void celi_mdp_binomial(double *pmf, int64_t n, double p) {
  const int64_t tries = n - 1;
  int64_t mode = (int64_t)((double)n * p);
  if (mode > tries) mode = tries;
  const double odds = p / (1 - p);
  pmf[mode] = 1;
  for (int64_t i = mode; i < tries; i++)
    pmf[i + 1] = pmf[i] * ((double)(tries - i) / (double)(i + 1) * odds);
  for (int64_t i = mode; i > 0; i--)
    pmf[i - 1] = pmf[i] * ((double)i / (double)(tries - i + 1) / odds);
  normalize(pmf, n);
}

int64_t celi_mdp_poisson(double *pmf, int64_t n, double mean) {
  int64_t mode = (int64_t)mean < n - 1 ? (int64_t)mean : n - 1;
  pmf[mode] = 1;
  for (int64_t i = mode; i < n - 1; i++) pmf[i + 1] = pmf[i] * (mean / (double)(i + 1));
  for (int64_t i = mode; i > 0; i--) pmf[i - 1] = pmf[i] * ((double)i / mean);
  normalize(pmf, n);
  double tail = 0;
  while (n > 1 && (tail += pmf[n - 1]) <= 1e-16) n--;
  return n;
}
