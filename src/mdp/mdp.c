/// Creates and destroys a CelMdp, and tracks which memory it owns.
#include "base/base.h"
#include "mdp/model.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

CelStatus celi_mdp_create(CeliMdp **out) {
  enum { BLOCKS = 24 };
  CeliMdp *model;
  CELI_TRY(celi_calloc(&model, 1, sizeof *model, "a finite MDP"));
  const CelStatus status = celi_mdp_own_more(model, BLOCKS);
  if (status != CEL_OK) {
    free(model);
    return status;
  }
  *out = model;
  return CEL_OK;
}

void celi_mdp_own(CeliMdp *model, const void *block) {
  if (block == NULL) return;
  CEL_ASSERT(model->blocks < model->block_capacity);
  model->block[model->blocks++] = block;
}

CelStatus celi_mdp_own_more(CeliMdp *model, int64_t more) {
  const int64_t needed = model->blocks + more;
  if (needed <= model->block_capacity) return CEL_OK;
  CELI_TRY(celi_resize(&model->block, (size_t)needed, sizeof *model->block, "a finite MDP"));
  model->block_capacity = needed;
  return CEL_OK;
}

void cel_mdp_destroy(CelMdp *mdp) {
  if (mdp == NULL) return;
  CeliMdp *model = (CeliMdp *)mdp; // the CelMdp is the first member
  for (int64_t i = 0; i < model->blocks; i++) free((void *)model->block[i]);
  free((void *)model->block);
  cel_safetensors_close(model->file);
  free(model);
}

CelStatus celi_mdp_room(size_t bytes, const char *what) {
  return celi_memory_room(bytes, NULL, what);
}

int64_t celi_mdp_max_actions(const int64_t *pair, int64_t states) {
  int64_t most = 0;
  for (int64_t s = 0; s < states; s++) {
    const int64_t count = pair[s + 1] - pair[s];
    most = count > most ? count : most;
  }
  return most;
}

CelStatus celi_mdp_uniform_start(const int64_t *pair, int64_t states, double **out) {
  CELI_TRY(celi_alloc(out, (size_t)states, sizeof **out, "the initial distribution"));
  int64_t count = 0;
  for (int64_t s = 0; s < states; s++) count += pair[s + 1] > pair[s];
  for (int64_t s = 0; s < states; s++) {
    (*out)[s] = pair[s + 1] > pair[s] ? 1.0 / (double)count : 0.0;
  }
  return CEL_OK;
}

double celi_mdp_sum(const double *x, int64_t n) {
  double sum = 0.0, lost = 0.0;
  for (int64_t i = 0; i < n; i++) {
    const double next = sum + x[i];
    lost += fabs(sum) >= fabs(x[i]) ? (sum - next) + x[i] : (x[i] - next) + sum;
    sum = next;
  }
  return sum + lost;
}
