/// What the files of `celsius solve` share: the problem, the flags, what is printed.
#ifndef CLI_SOLVE_H
#define CLI_SOLVE_H
#include "celsius/improve.h"
#include "celsius/mdp.h"
#include "celsius/plot_mdp.h"
#include "celsius/q_learning.h"
#include "celsius/solve.h"
#include "cli.h"

#include <cjson/cJSON.h>

#define SOLVE_ALPHAS_MAX 1000

/// Flags of the command itself.
typedef struct SolveOptions {
  char alpha[CEL_PATH_MAX], out[CEL_PATH_MAX], plot[CEL_PATH_MAX], save_problem[CEL_PATH_MAX];
  int32_t format; ///< CelMdpFormat
  bool q_learning;
  bool cpi, certify, json, quiet, policy;
} SolveOptions;

/// Everything about one call.
typedef struct Solve {
  SolveOptions options;
  CelSolveConfig config;
  CelQLearningConfig q; ///< but alpha, gamma and the time, which are the solver's
  CelGridPlotOptions picture;
  double alpha[SOLVE_ALPHAS_MAX]; ///< (n_alphas)
  int n_alphas;
  CelMdp *mdp;
  bool broken; ///< --certify: a step gained less than its bound
} Solve;

// ---- solve_problem.c

/// What the first argument names: a generator with a config of its own, or else a file.
typedef struct SolveProblem {
  const char *path;                 ///< of the file; NULL: a generator
  const CelMdpGenerator *generator; ///< or NULL
  void *config;                     ///< the generator's, or the file's CelMdpLoadOptions
  CelField *fields; ///< of `config`, but gamma, which the solver has, and the format
} SolveProblem;
/// The fields of a file's options: horizon, reward.
const CelField *solve_file_fields(void);
/// Errors: CEL_E_NAME (neither: the nearest generator), CEL_E_MEMORY.
CelStatus solve_problem_find(SolveProblem *problem, const char *name) CEL_WARN_UNUSED;
/// Generates or loads. gamma NAN: the problem's own; `gamma_text` as it was given, or NULL.
CelStatus solve_problem_make(CelMdp **out, const SolveProblem *problem, CelMdpFormat format,
                             double gamma, const char *gamma_text) CEL_WARN_UNUSED;
void solve_problem_free(SolveProblem *problem);
/// The generators, a line each.
void solve_problem_list(void);

// ---- solve_print.c

/// "frozenlake-8x8: 64 states, ..."
void solve_print_problem(const CelMdp *mdp, double gamma);
/// Value, return and entropy, then how it was solved. Finding the return takes as long as an evaluation; where that fails or
/// the run was stopped it says so.
void solve_print_solution(const Solve *solve, const CelSolution *solution);
/// Backward induction was stopped before the first time step, so nothing is known of the start.
bool solve_unfinished(const CelSolution *solution);
/// hard_return, entropy_sum and entropy_part of a solution, added to an object; null where they were not found.
void solve_json_parts(cJSON *json, const Solve *solve, const CelSolution *solution);
/// Fields of the problem, added to an object.
void solve_json_problem(cJSON *json, const CelMdp *mdp, double gamma);
/// alpha, value_start, method, iterations, ... of a solution, added to an object.
void solve_json_solution(cJSON *json, const CelSolution *solution);
/// Prints and deletes. Errors: CEL_E_MEMORY.
CelStatus solve_json_print(cJSON *json) CEL_WARN_UNUSED;
/// The method that ran, by the name of its flag.
void solve_method_name(const CelSolution *solution, char text[CEL_TEXT_MAX]);
/// "... at alpha 0.1, gamma 0.99; J = 0.41463", under a picture's title.
void solve_subtitle(char *text, size_t size, const char *what, const CelMdp *mdp, double alpha,
                    double gamma, double J);

// ---- solve_measure.c

/// value = hard_return + alpha entropy_sum
typedef struct SolveParts {
  double hard_return; ///< discounted rewards of the policy, reward units
  double
      entropy_sum; ///< discounted entropies, nats; not measured at alpha 0, where they count nothing
  double error;    ///< of hard_return, about
} SolveParts;
/// Errors: those of cel_discounted_distribution, CEL_E_MEMORY, CEL_E_INTERRUPTED.
CelStatus solve_measure(const CelMdp *mdp, const CelSolution *solution,
                        SolveParts *parts) CEL_WARN_UNUSED;

// ---- solve_policy.c

/// V (T, states), Q and pi (T, pairs); T is 1 where the horizon is 0.
typedef struct SolveTables {
  const double *V, *Q, *pi;
  int64_t horizon;
} SolveTables;
/// Whether a name ends in .csv.
bool solve_is_csv(const char *path);
/// A line a state: its value, and the probability of each action.
void solve_print_policy(const CelMdp *mdp, const CelSolution *solution);
/// A row a state and action: state, action, probability, Q, V; with a horizon the step in front. Errors: CEL_E_IO.
CelStatus solve_write_policy(const CelMdp *mdp, const SolveTables *tables,
                             const char *path) CEL_WARN_UNUSED;

// ---- solve_sweep.c

/// Solves at each alpha and tells value, return and entropy. Errors: the solver's, the plot's.
CelStatus solve_sweep(Solve *solve) CEL_WARN_UNUSED;

// ---- solve_cpi.c

/// Conservative policy iteration from the uniform policy.
CelStatus solve_cpi(Solve *solve) CEL_WARN_UNUSED;

// ---- solve_learn.c

/// Soft Q-learning from sampled transitions, held against the exact solution.
CelStatus solve_q_learning(Solve *solve) CEL_WARN_UNUSED;

// ---- solve.c

/// Solves at one alpha under a bar with that label (or NULL).
CelStatus solve_one(Solve *solve, double alpha, const char *label,
                    CelSolution **out) CEL_WARN_UNUSED;

#endif
