/// Builds a finite problem in C, solves it exactly, learns it from sampled transitions, and prints
/// both results side by side.
///
///     cc soft_q_learning.c -o soft_q_learning $(pkg-config --cflags --libs celsius)
///     ./soft_q_learning
///
/// A machine is new, worn or broken. Running it pays less the older it is, and makes it older.
/// Repairing costs 4 and makes it new. The table shows, for each state and action, the learned Q,
/// the exact Q and the exact policy at temperature 0.5.
#include <celsius/celsius.h>
#include <stdio.h>

enum { NEW, WORN, BROKEN, STATES };
enum { RUN, REPAIR, ACTIONS };

/// For the action RUN: the reward, and the probability that the machine becomes one state older.
static const double pay[STATES] = {5, 3, 0}, ages[STATES] = {0.3, 0.5, 0};

static CelStatus build(CelMdpBuilder *builder, CelMdp **out) {
  CelStatus status = CEL_OK;
  for (int64_t s = 0; s < STATES && status == CEL_OK; s++) {
    const int64_t older = s < BROKEN ? s + 1 : s;
    status = cel_mdp_pair(builder, s, RUN, pay[s]);
    if (status == CEL_OK) status = cel_mdp_transition(builder, s, 1 - ages[s], 0, false);
    if (status == CEL_OK) status = cel_mdp_transition(builder, older, ages[s], 0, false);
    if (status == CEL_OK) status = cel_mdp_pair(builder, s, REPAIR, -4);
    if (status == CEL_OK) status = cel_mdp_transition(builder, NEW, 1, 0, false);
  }
  if (status == CEL_OK) status = cel_mdp_start(builder, NEW, 1);
  if (status == CEL_OK) status = cel_mdp_build(builder, out);
  return status;
}

static CelStatus make_machine(CelMdp **out) {
  CelMdpBuilder *builder;
  CelStatus status = cel_mdp_builder_create(&builder, STATES, 0.9, 0);
  if (status != CEL_OK) return status;
  status = build(builder, out);
  cel_mdp_builder_destroy(builder);
  return status;
}

static void print(const CelMdp *mdp, const CelSolution *exact, const CelQLearning *learned) {
  static const char *const states[] = {"new", "worn", "broken"};
  static const char *const actions[] = {"run", "repair"};
  printf("%-8s %-8s %10s %10s %10s\n", "state", "action", "learned Q", "exact Q", "exact pi");
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++)
      printf("%-8s %-8s %10.4f %10.4f %10.4f\n", states[s], actions[cel_mdp_action(mdp, s, p)],
             learned->Q[p], exact->Q[p], exact->pi[p]);
  printf("after %lld samples, the certified error of every learned Q is at most %.3g\n",
         (long long)learned->samples, learned->bound);
}

static CelStatus compare(const CelMdp *mdp) {
  CelSolveConfig solve = cel_solve_config_default();
  CelQLearningConfig learn = cel_q_learning_config_default();
  CelSolution *exact = NULL;
  CelQLearning *learned = NULL;
  solve.alpha = learn.alpha = 0.5;
  learn.rounds = 100000;
  CelStatus status = cel_solve(mdp, &solve, &exact);
  if (status == CEL_OK) status = cel_q_learning(mdp, &learn, &learned);
  if (status == CEL_OK) print(mdp, exact, learned);
  cel_q_learning_destroy(learned);
  cel_solution_destroy(exact);
  return status;
}

int main(void) {
  CelMdp *machine = NULL;
  CelStatus status = make_machine(&machine);
  if (status == CEL_OK) status = compare(machine);
  cel_mdp_destroy(machine);
  if (status == CEL_OK) return 0;
  fprintf(stderr, "%s\n", cel_error());
  return 1;
}
