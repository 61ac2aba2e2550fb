/// The algorithms. To add one, write its file and add a line here.
#include "algo/algo.h"
#include "base/arguments.h"
#include "base/base.h"

#include <string.h>

extern const CeliAlgo celi_algo_sac;
extern const CeliAlgo celi_algo_sacv;
extern const CeliAlgo celi_algo_dsac;
extern const CeliAlgo celi_algo_sql;
extern const CeliAlgo celi_algo_sqlc;
extern const CeliAlgo celi_algo_ppo;
extern const CeliAlgo celi_algo_a2c;
extern const CeliAlgo celi_algo_ac;
extern const CeliAlgo celi_algo_trpo;
extern const CeliAlgo celi_algo_reinforce;
extern const CeliAlgo celi_algo_td3;
extern const CeliAlgo celi_algo_dqn;

static const CeliAlgo *const algos[] = {
    &celi_algo_sac,  &celi_algo_sacv, &celi_algo_dsac, &celi_algo_sql,
    &celi_algo_sqlc, &celi_algo_td3,  &celi_algo_dqn,  &celi_algo_ppo,
    &celi_algo_a2c,  &celi_algo_ac,   &celi_algo_trpo, &celi_algo_reinforce,
};

enum { N_ALGOS = sizeof algos / sizeof algos[0] };

const CeliAlgo *celi_algo_at(int i) {
  return i >= 0 && i < N_ALGOS ? algos[i] : NULL;
}

const CelAlgoInfo *cel_algo_at(int i) {
  const CeliAlgo *algo = celi_algo_at(i);
  return algo ? &algo->info : NULL;
}

CelStatus cel_algo_find(const char *name, const CelAlgoInfo **out) {
  CELI_NEED(name);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  CeliNearest nearest = {.wanted = name ? name : ""};
  for (int i = 0; i < N_ALGOS; i++) {
    if (name && strcmp(name, algos[i]->info.name) == 0) {
      *out = &algos[i]->info;
      return CEL_OK;
    }
    (void)celi_nearest_try(&nearest, algos[i]->info.name);
  }
  if (nearest.best)
    return cel_fail(CEL_E_NAME, "unknown algorithm '%s'; did you mean '%s'?", nearest.wanted,
                    nearest.best);
  return cel_fail(CEL_E_NAME, "unknown algorithm '%s'; `celsius list algos` lists all algorithms",
                  nearest.wanted);
}
