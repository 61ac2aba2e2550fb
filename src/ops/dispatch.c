/// Selects the instruction set of the kernels, once, at the first use.
#include "ops/tables.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const CeliOps *const ALL[] = {
#if defined(__x86_64__)
    &celi_ops_avx512,
    &celi_ops_avx2,
#endif
    &celi_ops_portable,
};
enum { N_ALL = (int)(sizeof ALL / sizeof *ALL) };

static bool runs_here(const CeliOps *table) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (table == &celi_ops_avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("fma");
  if (table == &celi_ops_avx2)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return table != NULL;
}

const CeliOps *celi_ops_at(int i) {
  for (int t = 0; t < N_ALL; t++)
    if (runs_here(ALL[t]) && i-- == 0) return ALL[t];
  return NULL;
}

// Written once, by choose().
static const CeliOps *chosen;
static char note[160];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void) {
  chosen = celi_ops_at(0);
  const char *wish = getenv("CELSIUS_ISA");
  if (!wish || !*wish) return;
  for (int t = 0; t < N_ALL; t++) {
    if (strcmp(ALL[t]->name, wish) != 0) continue;
    if (runs_here(ALL[t]))
      chosen = ALL[t];
    else
      snprintf(note, sizeof note, "CELSIUS_ISA=%s is not possible on this machine; using %s", wish,
               chosen->name);
    return;
  }
  snprintf(note, sizeof note, "CELSIUS_ISA=%.40s is not avx512, avx2 or portable; using %s", wish,
           chosen->name);
}

const CeliOps *celi_ops(void) {
  pthread_once(&once, choose);
  return chosen;
}

const char *celi_ops_note(void) {
  pthread_once(&once, choose);
  return note[0] ? note : NULL;
}

int64_t celi_dense_tiles(int64_t K, int64_t N) {
  const int64_t blocks = (K + CELI_TILE_ROWS - 1) / CELI_TILE_ROWS;
  const int64_t panels = (N + CELI_TILE_COLUMNS - 1) / CELI_TILE_COLUMNS;
  return blocks * panels;
}
