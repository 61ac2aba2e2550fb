/// Finds, by graph searches alone, which values are known exactly and which are infinite.
///
/// Probability, maximum: 0 where no policy reaches the target, 1 where some policy surely reaches
/// it. Minimum: 0 where some policy surely avoids it, 1 where no policy reaches a state with 0.
///
/// Total reward, maximized. An end component is a set of states in which a policy can stay forever.
///   positive    its largest mean reward is positive: whoever can reach it has the value +infinity
///   zero        it has no rewards; a policy moves in it at no cost, so it becomes one state
///   negative    staying forever costs an infinite amount
/// A state has the value -infinity if no policy surely ends. With CEL_UNREACHED_FORBIDDEN a path
/// must end in the target. With CEL_UNREACHED_SUM it may also end elsewhere, or stay in a zero or
/// positive component. Pairs that may lead to -infinity are closed, because no policy takes them.
/// With CEL_UNREACHED_INFINITE a path that never ends in the target is worth +infinity, so a state
/// has that value if some policy can avoid the target.
///
/// Soft: an end component with a choice and without negative rewards is positive, because entropy
/// adds up forever. Zero components with a choice do not exist.
/// Source: de Alfaro, "Formal verification of probabilistic systems", 1997, ch. 3; Baier, Bertrand,
/// Dubslaff, Gburek, Sankur, "Stochastic shortest paths and weight-bounded properties in Markov
/// decision processes", LICS 2018.
#include "base/base.h"
#include "mdp/total/total.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NONE CELI_NO_COMPONENT

typedef struct Classify {
  CeliTotal *total;
  CeliGraph *g;
  uint8_t *set, *goal, *ends; ///< (nodes) scratch
  uint8_t *use;               ///< (pairs)
  uint8_t *saved;             ///< (pairs) open pairs, while they are changed
  uint32_t *component;        ///< (nodes)
  uint32_t components;
  uint8_t *flags; ///< (components)
  uint8_t *plus;  ///< (nodes) states of positive components
} Classify;

enum { POSITIVE = 1, NEGATIVE = 2, CHOICE = 4, LEAVES = 8, UNSURE = 16 };

int celi_total_sign(const CeliTotal *total, int64_t p) {
  const CelMdp *mdp = total->mdp;
  const double r = celi_total_reward(total, p);
  const int sign = r > 0.0 ? 1 : r < 0.0 ? -1 : 0;
  if (total->probability || !mdp->reward_next) return sign;
  double size = 0.0;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
    size += mdp->probability[t] * fabs(mdp->reward_next[t]);
  const double n = (double)(mdp->row[p + 1] - mdp->row[p]);
  return size > 0.0 && fabs(r) <= 4.0 * (n + 4.0) * 0x1p-53 * size ? 2 : sign;
}

static void set_kind(Classify *c, const uint8_t *set, bool in, CeliKind kind, double value) {
  CeliTotal *total = c->total;
  for (uint32_t n = 0; n < c->g->nodes; n++)
    if ((set[n] != 0) == in && total->kind[n] == CELI_OPEN)
      total->kind[n] = (uint8_t)kind, total->value[n] = value;
}

static void save_pairs(Classify *c) {
  memcpy(c->saved, c->g->open, (size_t)c->g->mdp->pairs);
}
static void restore_pairs(Classify *c) {
  memcpy(c->g->open, c->saved, (size_t)c->g->mdp->pairs);
}

static bool is_terminal(const CelMdp *mdp, uint32_t n) {
  return n == mdp->states || mdp->pair[n] == mdp->pair[n + 1];
}

// ---- end components

/// Components of the open pairs; with `zero` only of pairs without a reward.
static CelStatus find_components(Classify *c, bool zero) {
  const CelMdp *mdp = c->g->mdp;
  for (int64_t p = 0; p < mdp->pairs; p++) c->use[p] = !zero || celi_total_sign(c->total, p) == 0;
  CELI_TRY(celi_graph_components(c->g, c->use, c->component, &c->components));
  free(c->flags);
  c->flags = NULL;
  return celi_calloc(&c->flags, c->components, 1, "the components of an MDP");
}

/// What the pairs of each component are like.
static void look_at_components(Classify *c) {
  const CelMdp *mdp = c->g->mdp;
  for (uint32_t s = 0; s < mdp->states; s++) {
    if (c->component[s] == NONE) continue;
    uint8_t *flags = &c->flags[c->component[s]];
    int inside = 0;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (!c->g->open[p]) continue;
      if (!c->use[p]) {
        *flags |= LEAVES;
        continue;
      }
      const int sign = celi_total_sign(c->total, p);
      *flags |= sign == 1 ? POSITIVE : sign == -1 ? NEGATIVE : sign == 2 ? UNSURE : 0;
      if (++inside > 1) *flags |= CHOICE;
    }
  }
}

/// Zero components: their states share a representative, and their pairs are inner pairs.
static CelStatus collapse(Classify *c) {
  CeliTotal *total = c->total;
  const CelMdp *mdp = c->g->mdp;
  uint32_t *first = NULL;
  CELI_TRY(find_components(c, true));
  CELI_TRY(celi_alloc(&first, c->components, sizeof *first, "the components of an MDP"));
  for (uint32_t i = 0; i < c->components; i++) first[i] = NONE;
  for (uint32_t s = 0; s < mdp->states; s++) {
    const uint32_t i = c->component[s];
    if (i == NONE) continue;
    if (first[i] == NONE) first[i] = s;
    total->rep[s] = first[i];
    total->zero[s] = 1;
  }
  memcpy(total->inner, c->use, (size_t)mdp->pairs);
  free(first);
  return CEL_OK;
}

/// The sign of the mean reward of a component with rewards of both signs, or soft with negative
/// ones.
static CelStatus measure(Classify *c, uint32_t which, int *sign) {
  const size_t nodes = c->g->nodes;
  double *h = NULL, *backup = NULL;
  uint32_t *state = NULL;
  int64_t n = 0;
  CelStatus status = celi_alloc(&h, nodes, sizeof *h, "the mean reward of a component");
  if (status == CEL_OK)
    status = celi_alloc(&backup, nodes, sizeof *backup, "the mean reward of a component");
  if (status == CEL_OK)
    status = celi_alloc(&state, nodes, sizeof *state, "the mean reward of a component");
  for (uint32_t s = 0; status == CEL_OK && s < nodes; s++)
    if (c->component[s] == which) state[n++] = s;
  if (status == CEL_OK) *sign = celi_total_gain(c->total, state, n, c->use, h, backup);
  free(h), free(backup), free(state);
  return status;
}

/// Decides whether component i is positive.
static CelStatus judge(Classify *c, uint32_t i, bool *positive) {
  CeliTotal *total = c->total;
  const uint8_t flags = c->flags[i];
  const bool soft = total->alpha > 0.0;
  *positive = false;
  if (!(flags & (NEGATIVE | UNSURE))) {
    *positive = flags & POSITIVE || (soft && flags & (CHOICE | LEAVES));
    return CEL_OK;
  }
  if (!soft && !(flags & (POSITIVE | UNSURE))) return CEL_OK;
  int sign;
  CELI_TRY(measure(c, i, &sign));
  *positive = sign > 0;
  if (sign != 0) return CEL_OK;
  for (uint32_t s = 0; total->undecided < 0; s++)
    if (c->component[s] == i) total->undecided = s;
  return CEL_OK;
}

/// Collects the states of positive components.
static CelStatus find_positive(Classify *c) {
  CELI_TRY(find_components(c, false));
  look_at_components(c);
  for (uint32_t i = 0; i < c->components; i++) {
    bool positive;
    CELI_TRY(judge(c, i, &positive));
    c->flags[i] = positive;
  }
  for (uint32_t s = 0; s < c->g->nodes; s++) {
    c->plus[s] = c->component[s] != NONE && c->flags[c->component[s]];
    if (c->plus[s] && c->total->endless < 0) c->total->endless = s;
  }
  return CEL_OK;
}

// ---- objectives

/// Whoever can reach a positive component has the value +infinity.
static void spread_positive(Classify *c) {
  celi_graph_can_reach(c->g, c->plus, NULL);
  set_kind(c, c->plus, true, CELI_PLUS, 0.0);
}

static void probability_max(Classify *c) {
  CeliTotal *total = c->total;
  memcpy(c->set, total->target, c->g->nodes);
  celi_graph_can_reach(c->g, c->set, NULL);
  set_kind(c, c->set, false, CELI_KNOWN, 0.0);
  save_pairs(c);
  celi_graph_surely_reach(c->g, c->set, total->target);
  restore_pairs(c);
  set_kind(c, c->set, true, CELI_KNOWN, 1.0);
}

static void probability_min(Classify *c) {
  CeliTotal *total = c->total;
  memcpy(c->set, total->target, c->g->nodes);
  celi_graph_must_reach(c->g, c->set);
  set_kind(c, c->set, false, CELI_KNOWN, 0.0);
  for (uint32_t n = 0; n < c->g->nodes; n++) c->set[n] = !c->set[n];
  celi_graph_can_reach(c->g, c->set, NULL);
  set_kind(c, c->set, false, CELI_KNOWN, -1.0);
}

/// The episode ends in the target and where the target can no longer be reached.
static CelStatus probability_soft(Classify *c) {
  CeliTotal *total = c->total;
  memcpy(c->set, total->target, c->g->nodes);
  celi_graph_can_reach(c->g, c->set, NULL);
  set_kind(c, c->set, false, CELI_KNOWN, 0.0);
  set_kind(c, total->target, true, CELI_KNOWN, total->sign);
  for (uint32_t n = 0; n < c->g->nodes; n++) c->set[n] = total->kind[n] != CELI_OPEN;
  celi_graph_close_states(c->g, c->set);
  CELI_TRY(find_positive(c));
  spread_positive(c);
  return CEL_OK;
}

/// A path that never reaches the target is worth +infinity.
static void reward_infinite(Classify *c) {
  CeliTotal *total = c->total;
  set_kind(c, total->target, true, CELI_KNOWN, 0.0);
  memcpy(c->set, total->target, c->g->nodes);
  celi_graph_must_reach(c->g, c->set);
  for (uint32_t n = 0; n < c->g->nodes; n++) {
    c->set[n] = !c->set[n];
    if (n < total->mdp->states && c->set[n] && total->endless < 0) total->endless = n;
  }
  celi_graph_can_reach(c->g, c->set, NULL);
  set_kind(c, c->set, true, CELI_PLUS, 0.0);
}

static CelStatus reward_forbidden(Classify *c) {
  CeliTotal *total = c->total;
  set_kind(c, total->target, true, CELI_KNOWN, 0.0);
  memset(c->set, 1, c->g->nodes);
  celi_graph_surely_reach(c->g, c->set, total->target);
  set_kind(c, c->set, false, CELI_MINUS, 0.0);
  if (!(total->alpha > 0.0)) CELI_TRY(collapse(c));
  CELI_TRY(find_positive(c));
  spread_positive(c);
  return CEL_OK;
}

/// Soft: marks in c->goal the components without rewards in which every state has one inner pair. A
/// policy can stay there without entropy.
static CelStatus find_sinks(Classify *c) {
  CELI_TRY(find_components(c, true));
  look_at_components(c);
  for (uint32_t s = 0; s < c->g->nodes; s++)
    c->goal[s] = c->component[s] != NONE && !(c->flags[c->component[s]] & CHOICE);
  return CEL_OK;
}

/// Keeps the sinks in c->goal that no open pair leaves. The others are positive: leaving late adds
/// entropy without limit. They are marked in c->plus.
static void close_sinks(Classify *c) {
  for (uint32_t s = 0; s < c->g->nodes; s++)
    if (!c->goal[s]) c->component[s] = NONE;
  memset(c->flags, 0, c->components);
  look_at_components(c);
  for (uint32_t s = 0; s < c->g->nodes; s++) {
    if (!c->goal[s] || !(c->flags[c->component[s]] & LEAVES)) continue;
    c->goal[s] = 0, c->plus[s] = 1;
    if (c->total->endless < 0) c->total->endless = s;
  }
}

static CelStatus reward_sum(Classify *c) {
  CeliTotal *total = c->total;
  const bool soft = total->alpha > 0.0;
  for (uint32_t n = 0; n < c->g->nodes; n++)
    if (total->target[n] || is_terminal(total->mdp, n)) total->kind[n] = CELI_KNOWN;
  if (!soft) CELI_TRY(collapse(c));
  CELI_TRY(find_positive(c));
  const uint8_t *stay = total->zero;
  if (soft) {
    CELI_TRY(find_sinks(c));
    // A sink that leaves is not positive yet: its way out may lead to -infinity only.
    for (uint32_t n = 0; n < c->g->nodes; n++)
      if (c->goal[n]) c->plus[n] = 0;
    stay = c->goal;
  }
  for (uint32_t n = 0; n < c->g->nodes; n++)
    c->ends[n] = total->kind[n] == CELI_KNOWN || stay[n] || c->plus[n];
  memset(c->set, 1, c->g->nodes);
  celi_graph_surely_reach(c->g, c->set, c->ends);
  set_kind(c, c->set, false, CELI_MINUS, 0.0);
  if (soft) {
    close_sinks(c);
    set_kind(c, c->goal, true, CELI_KNOWN, 0.0);
  }
  spread_positive(c);
  return CEL_OK;
}

// ---- all

/// Closes the pairs of all states that are not open, and finds the distance to a known state.
static void finish(Classify *c) {
  CeliTotal *total = c->total;
  const uint32_t nodes = c->g->nodes;
  for (uint32_t n = 0; n < nodes; n++) c->set[n] = total->kind[n] != CELI_OPEN;
  celi_graph_close_states(c->g, c->set);
  for (uint32_t n = 0; n < nodes; n++) {
    total->distance[n] = UINT32_MAX;
    c->set[n] = total->kind[n] == CELI_KNOWN || (total->stop && total->zero[n]);
  }
  celi_graph_can_reach(c->g, c->set, total->distance);
}

static CelStatus check_undecided(const CeliTotal *total) {
  if (total->undecided < 0 || total->kind[total->undecided] != CELI_MINUS) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "state %lld is in an end component whose largest mean reward is 0 up to rounding "
                  "errors, so the total reward may or may not be infinite; change the rewards%s",
                  (long long)total->undecided, total->alpha > 0.0 ? " or the temperature" : "");
}

static CelStatus classify(Classify *c) {
  CeliTotal *total = c->total;
  const bool soft = total->alpha > 0.0;
  celi_graph_close_states(c->g, total->target);
  if (total->probability && soft) {
    CELI_TRY(probability_soft(c));
  } else if (total->probability) {
    if (total->sign > 0.0)
      probability_max(c);
    else
      probability_min(c);
    for (uint32_t n = 0; n < c->g->nodes; n++) c->set[n] = total->kind[n] != CELI_OPEN;
    celi_graph_close_states(c->g, c->set);
    CELI_TRY(collapse(c));
  } else if (total->unreached == CEL_UNREACHED_INFINITE) {
    reward_infinite(c);
  } else if (total->unreached == CEL_UNREACHED_FORBIDDEN) {
    CELI_TRY(reward_forbidden(c));
  } else {
    CELI_TRY(reward_sum(c));
  }
  finish(c);
  return check_undecided(total);
}

CelStatus celi_total_classify(CeliTotal *total) {
  Classify c = {.total = total, .g = &total->graph};
  const size_t nodes = c.g->nodes, pairs = (size_t)total->mdp->pairs;
  const char *what = "the graph of an MDP";
  CelStatus status = celi_alloc(&c.set, nodes, 1, what);
  if (status == CEL_OK) status = celi_alloc(&c.goal, nodes, 1, what);
  if (status == CEL_OK) status = celi_alloc(&c.ends, nodes, 1, what);
  if (status == CEL_OK) status = celi_calloc(&c.plus, nodes, 1, what);
  if (status == CEL_OK) status = celi_alloc(&c.use, pairs, 1, what);
  if (status == CEL_OK) status = celi_alloc(&c.saved, pairs, 1, what);
  if (status == CEL_OK) status = celi_alloc(&c.component, nodes, sizeof *c.component, what);
  if (status == CEL_OK) status = classify(&c);
  free(c.set), free(c.goal), free(c.ends), free(c.plus);
  free(c.use), free(c.saved), free(c.component), free(c.flags);
  return status;
}
