/// Declarations shared by the files of `celsius solve`: problem, flags, methods, output.
#ifndef CLI_SOLVE_H
#define CLI_SOLVE_H
#include "celsius/improve.h"
#include "celsius/mdp.h"
#include "celsius/plot_mdp.h"
#include "celsius/q_learning.h"
#include "celsius/solve.h"
#include "celsius/total.h"
#include "cli.h"

#include <cjson/cJSON.h>

#define SOLVE_ALPHAS_MAX 1000

/// Flags of the command itself.
typedef struct SolveOptions {
  char alpha[CEL_PATH_MAX], out[CEL_PATH_MAX], plot[CEL_PATH_MAX], save_problem[CEL_PATH_MAX];
  char target[CEL_PATH_MAX];
  int32_t format;      ///< CelMdpFormat
  int32_t save_format; ///< CelMdpFormat
  bool save_labels;
  bool q_learning;
  bool cpi, guarantee, json, quiet, policy;
  bool certify; ///< old name of `guarantee`
} SolveOptions;

/// Everything about one call.
typedef struct Solve {
  SolveOptions options;
  CelSolveConfig config;
  CelQLearningConfig q; ///< alpha, gamma and max_seconds come from `config` instead
  CelGridPlotOptions picture;
  double alpha[SOLVE_ALPHAS_MAX]; ///< (n_alphas)
  int n_alphas;
  CelMdp *mdp;
  CelTotalConfig total;
  bool undiscounted; ///< gamma is 1 without a horizon, so `total` applies
  bool total_given;  ///< a flag of `total`, or --target
  uint8_t *target;   ///< (states) target states, or NULL: the episode's end
  bool broken;       ///< --cpi --guarantee: a step gained less than its bound
} Solve;

// ---- solve_problem.c

/// The problem that the first argument names: a generator or a file.
typedef struct SolveProblem {
  const char *path;                 ///< NULL: a generator
  const CelMdpGenerator *generator; ///< NULL: a file
  void *config;                     ///< the generator's arguments, or a file's CelMdpLoadOptions
  CelField *fields; ///< fields of `config` without gamma (a flag of the solver) and the format
} SolveProblem;
/// Fields of a file's options: horizon, reward.
const CelField *solve_file_fields(void);
/// Errors: CEL_E_NAME (neither a generator nor a file; names the nearest), CEL_E_MEMORY.
CelStatus solve_problem_find(SolveProblem *problem, const char *name) CEL_WARN_UNUSED;
/// Generates or loads the problem. gamma NAN: the problem's own. `gamma_text` is gamma as the user
/// wrote it, or NULL.
CelStatus solve_problem_make(CelMdp **out, const SolveProblem *problem, CelMdpFormat format,
                             double gamma, const char *gamma_text) CEL_WARN_UNUSED;
void solve_problem_free(SolveProblem *problem);
/// Prints the generators, one per line.
void solve_problem_list(void);

// ---- solve_flags.c

/// Fills `solve` with defaults and the flags, and checks that the flags go together.
CelStatus solve_flags_parse(Solve *solve, const SolveProblem *problem, int argc,
                            char **argv) CEL_WARN_UNUSED;
/// Checks the names of the output files. `name` is the problem's.
CelStatus solve_flags_check_files(const Solve *solve, const char *name) CEL_WARN_UNUSED;
void solve_flags_help(const SolveProblem *problem);

// ---- solve_total.c

/// Decides whether the problem has no discount, and finds the target states.
/// Errors: CEL_E_ARGUMENT (flags that need --gamma 1), those of cel_mdp_states_where.
CelStatus solve_total_prepare(Solve *solve) CEL_WARN_UNUSED;
/// "maximum probability of reaching the target".
void solve_total_what(const Solve *solve, char *text, size_t size);
/// Prints the bounds of the value at the start, and where values are infinite.
void solve_total_print(const CelSolution *solution);
/// Adds objective, direction, target, bounds and infinite values to an object.
void solve_total_json(cJSON *json, const Solve *solve, const CelSolution *solution);
/// True if the rewards of the problem do not count.
bool solve_total_is_probability(const Solve *solve);

// ---- solve_single.c

/// Solves at one alpha behind a progress bar with that label (or NULL).
CelStatus solve_one(Solve *solve, double alpha, const char *label,
                    CelSolution **out) CEL_WARN_UNUSED;
/// Solves at the first alpha, writes the files and prints the solution.
CelStatus solve_single(Solve *solve) CEL_WARN_UNUSED;

// ---- solve_sweep.c

/// Solves at each alpha and prints value, return and entropy. Errors: the solver's, the plot's.
CelStatus solve_sweep(Solve *solve) CEL_WARN_UNUSED;

// ---- solve_cpi.c

/// Conservative policy iteration from the uniform policy.
CelStatus solve_cpi(Solve *solve) CEL_WARN_UNUSED;

// ---- solve_learn.c

/// Soft Q-learning from sampled transitions, compared with the exact solution.
CelStatus solve_q_learning(Solve *solve) CEL_WARN_UNUSED;

// ---- solve_print.c

/// Prints "frozenlake-8x8: 64 states, ...".
void solve_print_problem(const CelMdp *mdp, double gamma);
/// Prints value, return and entropy, then how they were found. The return takes about as long as a
/// policy evaluation. If that fails or the run was stopped, the line says so.
void solve_print_solution(const Solve *solve, const CelSolution *solution);
/// True if backward induction stopped before the first time step. The value at the start is then
/// unknown.
bool solve_unfinished(const CelSolution *solution);
/// Adds hard_return, entropy_sum and entropy_part to an object; null if they were not computed.
void solve_json_parts(cJSON *json, const Solve *solve, const CelSolution *solution);
/// Adds the fields of the problem to an object.
void solve_json_problem(cJSON *json, const CelMdp *mdp, double gamma);
/// Adds alpha, value_start, method, iterations, ... of a solution to an object.
void solve_json_solution(cJSON *json, const CelSolution *solution);
/// The name of the method that ran, as --method spells it.
void solve_method_name(const CelSolution *solution, char text[CEL_TEXT_MAX]);
/// "... at alpha 0.1, gamma 0.99; J = 0.41463", the line below a picture's title.
void solve_subtitle(char *text, size_t size, const char *what, const CelMdp *mdp, double alpha,
                    double gamma, double J);

// ---- solve_measure.c

/// The parts of a value: value = hard_return + alpha entropy_sum.
typedef struct SolveParts {
  double hard_return; ///< discounted rewards of the policy, reward units
  double entropy_sum; ///< discounted entropies, nats; 0 (not computed) if alpha is 0
  double error;       ///< of hard_return, approximate
  double steps;       ///< expected number of steps; only without a discount, and if alpha > 0
} SolveParts;
/// Errors: those of cel_discounted_distribution, CEL_E_MEMORY, CEL_E_INTERRUPTED.
CelStatus solve_measure(const Solve *solve, const CelSolution *solution,
                        SolveParts *parts) CEL_WARN_UNUSED;

// ---- solve_policy.c

/// V (T, states), Q and pi (T, pairs). T is 1 if the horizon is 0.
typedef struct SolveTables {
  const double *V, *Q, *pi;
  int64_t horizon;
} SolveTables;
/// True if a name ends in .csv.
bool solve_is_csv(const char *path);
/// Prints one line per state: its value and the probability of each action.
void solve_print_policy(const CelMdp *mdp, const CelSolution *solution);
/// Writes one row per state and action: state, action, probability, Q, V. With a horizon the time
/// step is the first column. Errors: CEL_E_IO.
CelStatus solve_write_policy(const CelMdp *mdp, const SolveTables *tables,
                             const char *path) CEL_WARN_UNUSED;

#endif
