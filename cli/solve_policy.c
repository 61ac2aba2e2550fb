/// Writes the policy of `celsius solve` as text (--policy) and as a table (--out FILE.csv).
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool solve_is_csv(const char *path) {
  const size_t n = strlen(path);
  return n >= 5 && strcmp(path + n - 4, ".csv") == 0;
}

void solve_print_policy(const CelMdp *mdp, const CelSolution *solution) {
  const int64_t steps = solution->horizon > 0 ? solution->horizon : 1;
  for (int64_t t = 0; t < steps; t++) {
    const double *V = solution->V + t * mdp->states, *pi = solution->pi + t * mdp->pairs;
    if (solution->horizon > 0) printf("\nstep %lld", (long long)t);
    printf("\n%10s %14s   action: probability\n", "state", "value");
    for (int64_t s = 0; s < mdp->states; s++) {
      printf("%10lld %14.6g ", (long long)s, V[s]);
      for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
        printf("  %lld: %.5g", (long long)cel_mdp_action(mdp, s, p), pi[p]);
      puts(mdp->pair[s] == mdp->pair[s + 1] ? "  terminal" : "");
    }
  }
}

/// Writes a number in as few digits as read back to the same bits.
static void write_number(FILE *table, double x, char after) {
  char text[32];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, x);
    if (strtod(text, NULL) == x) break;
  }
  fprintf(table, "%s%c", text, after);
}

static void write_step(FILE *table, const CelMdp *mdp, const SolveTables *tables, int64_t t) {
  const double *V = tables->V + t * mdp->states;
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (tables->horizon > 0) fprintf(table, "%lld,", (long long)t);
      fprintf(table, "%lld,%lld,", (long long)s, (long long)cel_mdp_action(mdp, s, p));
      write_number(table, tables->pi[t * mdp->pairs + p], ',');
      write_number(table, tables->Q[t * mdp->pairs + p], ',');
      write_number(table, V[s], '\n');
    }
  }
}

CelStatus solve_write_policy(const CelMdp *mdp, const SolveTables *tables, const char *path) {
  CliFile file;
  const CelStatus status = cli_file_open(&file, path);
  if (status != CEL_OK) return status;
  FILE *table = file.stream;
  fprintf(table, "%sstate,action,probability,Q,V\n", tables->horizon > 0 ? "step," : "");
  for (int64_t t = 0; t < (tables->horizon > 0 ? tables->horizon : 1); t++)
    write_step(table, mdp, tables, t);
  return cli_file_close(&file, CEL_OK);
}
