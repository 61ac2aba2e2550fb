/// Builds a CelMdp in one pass. States come in order, and so do the actions of a state. Transitions
/// of an action may come in any order.
///
/// The transitions of the open state-action pair wait in a buffer. Closing the pair sorts them by
/// next state and end flag, merges equal ones, checks the row, divides it by its sum, and appends
/// it to arrays that the finished CelMdp takes over without a copy. Arrays that few MDPs need
/// (rewards per transition, end flags, action numbers) are created at their first use.
///
///     P(s'|s,a) = p(s') / sum p,   r(s,a,s') = r + sum p r' / sum p over merged transitions,
///     r(s,a) = sum_s' P(s'|s,a) r(s,a,s')
#include "base/arguments.h"
#include "base/base.h"
#include "mdp/model.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/// A transition of the open pair.
typedef struct Entry {
  int64_t next, order; ///< order of arrival, so that sums always add in the same order
  double probability, reward;
  bool ends;
} Entry;

/// A named reward model. Missing arrays are zeros.
typedef struct Model {
  char name[CEL_TEXT_MAX];
  double *state, *pair, *transition;
} Model;

struct CelMdpBuilder {
  double discount;
  int64_t horizon, states, pairs, transitions;
  bool built;
  // The open pair is the last one.
  int64_t state, number; ///< state (-1: no pair yet) and action of the last pair
  double base;           ///< its r(s,a); transition rewards are added to it
  bool open;
  Entry *entry; ///< (entries,)
  int64_t entries, entry_capacity;
  bool dropped;   ///< the last transition had probability 0
  double *extra;  ///< (entry_capacity, models) the named rewards of entries, by their order
  bool any_extra; ///< an entry of the open pair has a named reward
  // The arrays of the CelMdp. Optional arrays are NULL until they are needed.
  int64_t *pair; ///< (states + 1), filled up to `state`
  int64_t pair_capacity, transition_capacity;
  int64_t *row; ///< (pairs + 1)
  double *reward;
  int32_t *action;
  uint32_t *next32;
  int64_t *next64;
  double *probability, *reward_next;
  uint8_t *ends;
  double *start;
  int64_t *grid_state;
  int8_t *direction;
  CelMdpGrid grid;
  bool has_grid;
  CelMdpLabel *label; ///< (labels,)
  int64_t labels, label_capacity;
  Model *model; ///< (models,)
  int64_t models, model_capacity;
  char name[CEL_TEXT_MAX];
};

// ---- create, destroy

CelStatus cel_mdp_builder_create(CelMdpBuilder **out, int64_t states, double discount,
                                 int64_t horizon) {
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  CelMdpBuilder *builder;
  if (states < 1) {
    return cel_fail(CEL_E_RANGE, "%" PRId64 " states: an MDP needs at least one", states);
  }
  size_t bytes;
  if (!celi_size_mul((size_t)states, 2 * sizeof(int64_t), &bytes) || states == INT64_MAX) {
    return cel_fail(CEL_E_RANGE, "%" PRId64 " states are too many to address", states);
  }
  CELI_TRY(celi_mdp_check_discount(discount, horizon));
  CELI_TRY(celi_mdp_room(bytes, "that many states"));
  CELI_TRY(celi_alloc(&builder, 1, sizeof *builder, "an MDP builder"));
  memset(builder, 0, sizeof *builder);
  CelStatus status = celi_alloc(&builder->pair, (size_t)states + 1, sizeof(int64_t), "states");
  if (status != CEL_OK) {
    free(builder);
    return status;
  }
  builder->states = states;
  builder->discount = discount;
  builder->horizon = horizon;
  builder->state = -1;
  *out = builder;
  return CEL_OK;
}

/// Frees the arrays if `release` is set. Otherwise the CelMdp owns them now.
static void drop(CelMdpBuilder *builder, bool release) {
  void *blocks[] = {builder->pair,        builder->row,        builder->reward,
                    builder->action,      builder->next32,     builder->next64,
                    builder->probability, builder->ends,       builder->reward_next,
                    builder->start,       builder->grid_state, builder->direction};
  for (size_t i = 0; release && i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
  for (int64_t i = 0; release && i < builder->labels; i++) free((void *)builder->label[i].in);
  if (release) free(builder->label);
  for (int64_t i = 0; release && i < builder->models; i++) {
    free(builder->model[i].state);
    free(builder->model[i].pair);
    free(builder->model[i].transition);
  }
  free(builder->model);
  free(builder->extra);
  free(builder->entry);
  memset(builder, 0, sizeof *builder);
  builder->built = true;
}

void cel_mdp_builder_destroy(CelMdpBuilder *builder) {
  if (builder == NULL) return;
  drop(builder, true);
  free(builder);
}

static CelStatus fail_if_built(const CelMdpBuilder *builder) {
  if (!builder->built) return CEL_OK;
  return cel_fail(CEL_E_STATE, "this builder has already built its MDP; create another builder");
}

// ---- memory

static CelStatus resize_pairs(CelMdpBuilder *builder, int64_t capacity) {
  const size_t n = (size_t)capacity;
  CELI_TRY(celi_resize(&builder->row, n + 1, sizeof *builder->row, "state-action pairs"));
  CELI_TRY(celi_resize(&builder->reward, n, sizeof *builder->reward, "rewards"));
  if (builder->action) {
    CELI_TRY(celi_resize(&builder->action, n, sizeof *builder->action, "action numbers"));
  }
  for (int64_t i = 0; i < builder->models; i++) {
    double **pair = &builder->model[i].pair;
    if (*pair) CELI_TRY(celi_resize(pair, n, sizeof **pair, "named rewards"));
  }
  builder->pair_capacity = capacity;
  return CEL_OK;
}

static bool wide(const CelMdpBuilder *builder) {
  return builder->states - 1 > (int64_t)UINT32_MAX;
}

static CelStatus resize_transitions(CelMdpBuilder *builder, int64_t capacity) {
  const size_t n = (size_t)capacity;
  if (wide(builder)) {
    CELI_TRY(celi_resize(&builder->next64, n, sizeof *builder->next64, "transitions"));
  } else {
    CELI_TRY(celi_resize(&builder->next32, n, sizeof *builder->next32, "transitions"));
  }
  CELI_TRY(celi_resize(&builder->probability, n, sizeof *builder->probability, "probabilities"));
  if (builder->reward_next) {
    CELI_TRY(celi_resize(&builder->reward_next, n, sizeof *builder->reward_next, "rewards"));
  }
  if (builder->ends) {
    CELI_TRY(celi_resize(&builder->ends, n, sizeof *builder->ends, "end flags of transitions"));
  }
  for (int64_t i = 0; i < builder->models; i++) {
    double **transition = &builder->model[i].transition;
    if (*transition) CELI_TRY(celi_resize(transition, n, sizeof **transition, "named rewards"));
  }
  builder->transition_capacity = capacity;
  return CEL_OK;
}

/// One and a half times `capacity`, but at least `needed`.
static int64_t grown(int64_t capacity, int64_t needed) {
  const int64_t more = capacity + capacity / 2 + 64;
  return more > needed ? more : needed;
}

CelStatus cel_mdp_builder_reserve(CelMdpBuilder *builder, int64_t pairs, int64_t transitions) {
  CELI_NEED(builder);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(fail_if_built(builder));
  size_t of_pairs, of_transitions, bytes;
  if (pairs < 0 || transitions < 0 || pairs == INT64_MAX ||
      !celi_size_mul((size_t)pairs, 16, &of_pairs) ||
      !celi_size_mul((size_t)transitions, wide(builder) ? 16 : 12, &of_transitions) ||
      !celi_size_add(of_pairs, of_transitions, &bytes)) {
    return cel_fail(CEL_E_MEMORY,
                    "%" PRId64 " pairs and %" PRId64 " transitions are too many to address", pairs,
                    transitions);
  }
  CELI_TRY(celi_mdp_room(bytes, "that many transitions"));
  if (pairs > builder->pair_capacity) CELI_TRY(resize_pairs(builder, pairs));
  if (transitions > builder->transition_capacity) {
    CELI_TRY(resize_transitions(builder, transitions));
  }
  return CEL_OK;
}

// ---- closing a row

static bool before(const Entry *a, const Entry *b) {
  if (a->next != b->next) return a->next < b->next;
  if (a->ends != b->ends) return !a->ends;
  return a->order < b->order;
}

static int compare(const void *a, const void *b) {
  return before(a, b) ? -1 : before(b, a) ? 1 : 0;
}

static void sort_entries(Entry *entry, int64_t n) {
  enum { FEW = 24 };
  bool sorted = true;
  for (int64_t i = 1; i < n && sorted; i++) sorted = before(&entry[i - 1], &entry[i]);
  if (sorted) return;
  if (n > FEW) {
    qsort(entry, (size_t)n, sizeof *entry, compare);
    return;
  }
  for (int64_t i = 1; i < n; i++) {
    const Entry moved = entry[i];
    int64_t j = i;
    for (; j > 0 && before(&moved, &entry[j - 1]); j--) entry[j] = entry[j - 1];
    entry[j] = moved;
  }
}

/// Averages the named rewards of two transitions, which then belong to the first.
static void merge_extra(CelMdpBuilder *builder, const Entry *to, const Entry *from, double sum) {
  double *a = builder->extra + to->order * builder->models;
  const double *b = builder->extra + from->order * builder->models;
  for (int64_t i = 0; i < builder->models; i++) {
    // equal rewards stay bit-identical
    if (a[i] < b[i] || a[i] > b[i])
      a[i] = a[i] * (to->probability / sum) + b[i] * (from->probability / sum);
  }
}

/// Merges adjacent transitions with the same next state and end flag. Returns how many remain.
static int64_t merge(CelMdpBuilder *builder) {
  Entry *entry = builder->entry;
  const int64_t n = builder->entries;
  int64_t last = 0;
  for (int64_t i = 1; i < n; i++) {
    Entry *to = &entry[last];
    const Entry *from = &entry[i];
    if (to->next != from->next || to->ends != from->ends) {
      entry[++last] = *from;
      continue;
    }
    const double sum = to->probability + from->probability;
    if (builder->any_extra) merge_extra(builder, to, from, sum);
    // equal rewards stay bit-identical
    if (to->reward < from->reward || to->reward > from->reward) {
      to->reward = to->reward * (to->probability / sum) + from->reward * (from->probability / sum);
    }
    to->probability = sum;
  }
  return last + 1;
}

static double sum_entries(const Entry *entry, int64_t n) {
  double sum = 0.0, lost = 0.0;
  for (int64_t i = 0; i < n; i++) { // the same sum as celi_mdp_sum
    const double x = entry[i].probability, next = sum + x;
    lost += sum >= x ? (sum - next) + x : (x - next) + sum;
    sum = next;
  }
  return sum + lost;
}

/// Creates rewards per transition. Earlier transitions get the reward of their pair.
static CelStatus begin_reward_next(CelMdpBuilder *builder) {
  CELI_TRY(celi_alloc(&builder->reward_next, (size_t)builder->transition_capacity,
                      sizeof *builder->reward_next, "rewards"));
  for (int64_t p = 0; p + 1 < builder->pairs; p++) {
    for (int64_t t = builder->row[p]; t < builder->row[p + 1]; t++) {
      builder->reward_next[t] = builder->reward[p];
    }
  }
  return CEL_OK;
}

static CelStatus begin_ends(CelMdpBuilder *builder) {
  CELI_TRY(celi_alloc(&builder->ends, (size_t)builder->transition_capacity, sizeof *builder->ends,
                      "end flags of transitions"));
  memset(builder->ends, 0, (size_t)builder->transitions);
  return CEL_OK;
}

/// Creates the arrays that the n merged transitions are the first to need.
static CelStatus make_room(CelMdpBuilder *builder, int64_t n, bool *rewards_differ) {
  bool ends = false;
  *rewards_differ = false;
  for (int64_t i = 0; i < n; i++) {
    const double reward = builder->entry[i].reward, first = builder->entry[0].reward;
    ends |= builder->entry[i].ends;
    *rewards_differ |= reward < first || reward > first;
  }
  const int64_t needed = builder->transitions + n;
  if (needed > builder->transition_capacity) {
    CELI_TRY(resize_transitions(builder, grown(builder->transition_capacity, needed)));
  }
  if (*rewards_differ && !builder->reward_next) CELI_TRY(begin_reward_next(builder));
  if (ends && !builder->ends) CELI_TRY(begin_ends(builder));
  return CEL_OK;
}

/// The divisor of a row or initial distribution with this sum. It is 1 when dividing could not
/// bring the sum closer to 1. This keeps the bits of an MDP that is saved and loaded.
static double divisor(double sum, int64_t n) {
  return n > 1 && fabs(sum - 1.0) <= DBL_EPSILON ? 1.0 : sum;
}

/// Appends the n merged transitions with their probabilities divided by `sum`.
static void append(CelMdpBuilder *builder, int64_t n, double sum, bool rewards_differ) {
  double reward = rewards_differ ? 0.0 : builder->entry[0].reward;
  for (int64_t i = 0; i < n; i++) {
    const Entry *entry = &builder->entry[i];
    const int64_t t = builder->transitions + i;
    const double probability = fmin(entry->probability / sum, 1.0); // the sum may be rounded
    builder->probability[t] = probability;
    if (builder->next32) {
      builder->next32[t] = (uint32_t)entry->next;
    } else {
      builder->next64[t] = entry->next;
    }
    if (builder->reward_next) builder->reward_next[t] = builder->base + entry->reward;
    if (builder->ends) builder->ends[t] = entry->ends;
    if (rewards_differ) reward += probability * entry->reward;
  }
  builder->reward[builder->pairs - 1] = builder->base + reward;
  builder->transitions += n;
  builder->row[builder->pairs] = builder->transitions;
}

/// Creates an array of named rewards with n zeros in room for `capacity`.
static CelStatus begin_named(double **out, int64_t n, int64_t capacity) {
  if (*out) return CEL_OK;
  CELI_TRY(celi_alloc(out, (size_t)capacity, sizeof **out, "named rewards"));
  memset(*out, 0, (size_t)n * sizeof **out);
  return CEL_OK;
}

/// Writes the named rewards of the row that was appended last.
static CelStatus append_extra(CelMdpBuilder *builder) {
  const int64_t K = builder->models, first = builder->transitions - builder->entries;
  for (int64_t i = 0; i < K; i++) {
    double **transition = &builder->model[i].transition;
    bool any = false;
    for (int64_t k = 0; k < builder->entries && builder->any_extra; k++) {
      const double reward = builder->extra[builder->entry[k].order * K + i];
      any |= reward < 0.0 || reward > 0.0;
    }
    if (any) CELI_TRY(begin_named(transition, first, builder->transition_capacity));
    for (int64_t k = 0; k < builder->entries && *transition; k++) {
      (*transition)[first + k] =
          builder->any_extra ? builder->extra[builder->entry[k].order * K + i] : 0.0;
    }
  }
  builder->any_extra = false;
  return CEL_OK;
}

static CelStatus fail_sum(const CelMdpBuilder *builder, double sum) {
  return cel_fail(CEL_E_RANGE,
                  "state %" PRId64 ", action %" PRId64 ": the probabilities of its %" PRId64
                  " transition%s sum to %.15g; they must sum to 1",
                  builder->state, builder->number, builder->entries, celi_s(builder->entries), sum);
}

/// Two finite rewards may add up to an infinite one.
static CelStatus check_rewards(const CelMdpBuilder *builder) {
  for (int64_t i = 0; i < builder->entries; i++) {
    if (isfinite(builder->base + builder->entry[i].reward)) continue;
    return cel_fail(CEL_E_RANGE,
                    "state %" PRId64 ", action %" PRId64
                    ": the sum of rewards %g and %g overflows; scale them down",
                    builder->state, builder->number, builder->base, builder->entry[i].reward);
  }
  return CEL_OK;
}

static CelStatus close_row(CelMdpBuilder *builder) {
  if (!builder->open) return CEL_OK;
  if (builder->entries == 0) {
    return cel_fail(CEL_E_RANGE,
                    "state %" PRId64 ", action %" PRId64
                    " has no transition; add one with cel_mdp_transition",
                    builder->state, builder->number);
  }
  CELI_TRY(check_rewards(builder));
  sort_entries(builder->entry, builder->entries);
  builder->entries = merge(builder);
  const double sum = sum_entries(builder->entry, builder->entries); // never smaller than one entry
  if (!celi_mdp_is_one(sum)) return fail_sum(builder, sum);
  bool rewards_differ;
  CELI_TRY(make_room(builder, builder->entries, &rewards_differ));
  append(builder, builder->entries, divisor(sum, builder->entries), rewards_differ);
  CELI_TRY(append_extra(builder));
  builder->entries = 0;
  builder->open = false;
  return CEL_OK;
}

// ---- pairs and transitions

static CelStatus check_pair(const CelMdpBuilder *builder, int64_t state, int64_t action,
                            double reward) {
  if (state < 0 || state >= builder->states) {
    return cel_fail(CEL_E_RANGE,
                    "state %" PRId64 ", action %" PRId64
                    ": the state is out of range; states are 0 to %" PRId64,
                    state, action, builder->states - 1);
  }
  if (action < 0 || action >= INT32_MAX) {
    return cel_fail(CEL_E_RANGE,
                    "state %" PRId64 ", action %" PRId64
                    ": the action is out of range; actions are 0 to 2^31 - 2",
                    state, action);
  }
  if (state < builder->state || (state == builder->state && action <= builder->number)) {
    return cel_fail(CEL_E_RANGE,
                    "state %" PRId64 ", action %" PRId64 " comes after state %" PRId64
                    ", action %" PRId64 "; add pairs in ascending order, each once",
                    state, action, builder->state, builder->number);
  }
  if (!isfinite(reward)) {
    return cel_fail(CEL_E_NAN,
                    "state %" PRId64 ", action %" PRId64 ": the reward %g is not a finite number",
                    state, action, reward);
  }
  return CEL_OK;
}

/// Creates action numbers. Earlier pairs are numbered from 0 within their state.
static CelStatus begin_actions(CelMdpBuilder *builder) {
  CELI_TRY(celi_alloc(&builder->action, (size_t)builder->pair_capacity, sizeof *builder->action,
                      "action numbers"));
  for (int64_t s = 0; s <= builder->state; s++) {
    const int64_t end = s == builder->state ? builder->pairs : builder->pair[s + 1];
    for (int64_t p = builder->pair[s]; p < end; p++) {
      builder->action[p] = (int32_t)(p - builder->pair[s]);
    }
  }
  return CEL_OK;
}

CelStatus cel_mdp_pair(CelMdpBuilder *builder, int64_t state, int64_t action, double reward) {
  CELI_NEED(builder);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(fail_if_built(builder));
  CELI_TRY(check_pair(builder, state, action, reward));
  CELI_TRY(close_row(builder));
  if (builder->pairs == builder->pair_capacity) {
    CELI_TRY(resize_pairs(builder, grown(builder->pair_capacity, builder->pairs + 1)));
  }
  const int64_t first = state == builder->state ? builder->pair[state] : builder->pairs;
  if (!builder->action && action != builder->pairs - first) CELI_TRY(begin_actions(builder));
  while (builder->state < state) builder->pair[++builder->state] = builder->pairs;
  if (builder->action) builder->action[builder->pairs] = (int32_t)action;
  if (builder->pairs == 0) builder->row[0] = 0;
  for (int64_t i = 0; i < builder->models; i++) {
    if (builder->model[i].pair) builder->model[i].pair[builder->pairs] = 0.0;
  }
  builder->pairs++;
  builder->number = action;
  builder->base = reward;
  builder->open = true;
  builder->dropped = false;
  return CEL_OK;
}

static CelStatus check_transition(const CelMdpBuilder *builder, int64_t next, double probability,
                                  double reward) {
  if (!builder->open)
    return cel_fail(CEL_E_STATE, "a transition was added before any pair; call cel_mdp_pair first");
  CelStatus status = CEL_OK;
  if (next < 0 || next >= builder->states) {
    status =
        cel_fail(CEL_E_RANGE, "next state %" PRId64 " is out of range; states are 0 to %" PRId64,
                 next, builder->states - 1);
  } else if (!isfinite(probability)) {
    status =
        cel_fail(CEL_E_NAN, "the probability %g of next state %" PRId64 " is not a finite number",
                 probability, next);
  } else if (!celi_mdp_is_probability(probability)) {
    status = cel_fail(CEL_E_RANGE, "the probability %g of next state %" PRId64 " is not in [0, 1]",
                      probability, next);
  } else if (!isfinite(reward)) {
    status = cel_fail(CEL_E_NAN, "the reward %g of next state %" PRId64 " is not a finite number",
                      reward, next);
  }
  return cel_fail_in(status, "state %" PRId64 ", action %" PRId64 ": ", builder->state,
                     builder->number);
}

CelStatus cel_mdp_transition(CelMdpBuilder *builder, int64_t next, double probability,
                             double reward, bool ends) {
  CELI_NEED(builder);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(fail_if_built(builder));
  CELI_TRY(check_transition(builder, next, probability, reward));
  builder->dropped = !(probability > 0.0);
  if (builder->dropped) return CEL_OK;
  if (builder->entries == builder->entry_capacity) {
    const int64_t capacity = grown(builder->entry_capacity, builder->entries + 1);
    CELI_TRY(celi_resize(&builder->entry, (size_t)capacity, sizeof(Entry), "transitions"));
    if (builder->models > 0) {
      CELI_TRY(celi_resize(&builder->extra, (size_t)capacity,
                           (size_t)builder->models * sizeof *builder->extra, "named rewards"));
    }
    builder->entry_capacity = capacity;
  }
  builder->entry[builder->entries] = (Entry){.next = next,
                                             .order = builder->entries,
                                             .probability = probability,
                                             .reward = reward,
                                             .ends = ends};
  for (int64_t i = 0; builder->any_extra && i < builder->models; i++) {
    builder->extra[builder->entries * builder->models + i] = 0.0;
  }
  builder->entries++;
  return CEL_OK;
}

// ---- labels, reward models

static CelStatus fail_twice(const char *what, const char *name) {
  return cel_fail(CEL_E_NAME, "%s \"%s\" exists already; give each its own name", what, name);
}

static CelStatus fail_many(const char *what) {
  return cel_fail(CEL_E_RANGE, "more than %d %ss; leave some out", CELI_MDP_NAMES, what);
}

CelStatus cel_mdp_label(CelMdpBuilder *builder, const char *name, const uint8_t *in) {
  CELI_NEED(builder);
  CELI_NEED(name);
  CELI_NEED(in);
  CELI_FLOATS(CELI_IEEE);
  uint8_t *copy;
  CELI_TRY(fail_if_built(builder));
  CELI_TRY(celi_mdp_check_name(name, "label"));
  for (int64_t i = 0; i < builder->labels; i++) {
    if (strcmp(builder->label[i].name, name) == 0) return fail_twice("label", name);
  }
  if (builder->labels == CELI_MDP_NAMES) return fail_many("label");
  for (int64_t s = 0; s < builder->states; s++) {
    if (in[s] <= 1) continue;
    return cel_fail(CEL_E_RANGE, "label \"%s\": state %" PRId64 " has %d; it must be 0 or 1", name,
                    s, in[s]);
  }
  if (builder->labels == builder->label_capacity) {
    const int64_t capacity = grown(builder->label_capacity, builder->labels + 1);
    CELI_TRY(celi_resize(&builder->label, (size_t)capacity, sizeof *builder->label, "labels"));
    builder->label_capacity = capacity;
  }
  CELI_TRY(celi_alloc(&copy, (size_t)builder->states, 1, "a label"));
  memcpy(copy, in, (size_t)builder->states);
  CelMdpLabel *label = &builder->label[builder->labels++];
  memset(label, 0, sizeof *label);
  strcpy(label->name, name);
  label->in = copy;
  return CEL_OK;
}

CelStatus cel_mdp_reward_model(CelMdpBuilder *builder, const char *name, int64_t *model) {
  CELI_NEED(builder);
  CELI_NEED(name);
  CELI_NEED(model);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(fail_if_built(builder));
  CELI_TRY(celi_mdp_check_name(name, "reward model"));
  if (builder->pairs > 0) {
    return cel_fail(CEL_E_STATE, "reward model \"%s\": a pair exists already; add models first",
                    name);
  }
  for (int64_t i = 0; i < builder->models; i++) {
    if (strcmp(builder->model[i].name, name) == 0) return fail_twice("reward model", name);
  }
  if (builder->models == CELI_MDP_NAMES) return fail_many("reward model");
  if (builder->models == builder->model_capacity) {
    const int64_t capacity = grown(builder->model_capacity, builder->models + 1);
    CELI_TRY(
        celi_resize(&builder->model, (size_t)capacity, sizeof *builder->model, "reward models"));
    builder->model_capacity = capacity;
  }
  Model *added = &builder->model[builder->models];
  memset(added, 0, sizeof *added);
  strcpy(added->name, name);
  *model = builder->models++;
  return CEL_OK;
}

static CelStatus check_named(const CelMdpBuilder *builder, int64_t model, double reward) {
  CELI_TRY(fail_if_built(builder));
  if (model < 0 || model >= builder->models) {
    return cel_fail(CEL_E_RANGE,
                    "reward model %" PRId64
                    " is out of range; cel_mdp_reward_model has made %" PRId64,
                    model, builder->models);
  }
  if (isfinite(reward)) return CEL_OK;
  return cel_fail(CEL_E_NAN, "reward model \"%s\": the reward %g is not a finite number",
                  builder->model[model].name, reward);
}

CelStatus cel_mdp_reward_of_state(CelMdpBuilder *builder, int64_t model, int64_t state,
                                  double reward) {
  CELI_NEED(builder);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(check_named(builder, model, reward));
  double **array = &builder->model[model].state;
  if (state < 0 || state >= builder->states) {
    return cel_fail(CEL_E_RANGE,
                    "reward model \"%s\": state %" PRId64
                    " is out of range; states are 0 to %" PRId64,
                    builder->model[model].name, state, builder->states - 1);
  }
  if (!*array && !(reward < 0.0 || reward > 0.0)) return CEL_OK;
  CELI_TRY(begin_named(array, builder->states, builder->states));
  (*array)[state] = reward;
  return CEL_OK;
}

CelStatus cel_mdp_reward_of_pair(CelMdpBuilder *builder, int64_t model, double reward) {
  CELI_NEED(builder);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(check_named(builder, model, reward));
  double **array = &builder->model[model].pair;
  if (!builder->open) {
    return cel_fail(CEL_E_STATE, "reward model \"%s\": no pair is open; call cel_mdp_pair first",
                    builder->model[model].name);
  }
  if (!*array && !(reward < 0.0 || reward > 0.0)) return CEL_OK;
  CELI_TRY(begin_named(array, builder->pairs, builder->pair_capacity));
  (*array)[builder->pairs - 1] = reward;
  return CEL_OK;
}

CelStatus cel_mdp_reward_of_transition(CelMdpBuilder *builder, int64_t model, double reward) {
  CELI_NEED(builder);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(check_named(builder, model, reward));
  const int64_t K = builder->models;
  if (!builder->open || (builder->entries == 0 && !builder->dropped)) {
    return cel_fail(CEL_E_STATE,
                    "reward model \"%s\": the open pair has no transition; call "
                    "cel_mdp_transition first",
                    builder->model[model].name);
  }
  if (builder->dropped || (!builder->any_extra && !(reward < 0.0 || reward > 0.0))) return CEL_OK;
  if (!builder->any_extra)
    memset(builder->extra, 0, (size_t)(builder->entries * K) * sizeof reward);
  builder->any_extra = true;
  builder->extra[(builder->entries - 1) * K + model] = reward;
  return CEL_OK;
}

// ---- start, grid, name

CelStatus cel_mdp_start(CelMdpBuilder *builder, int64_t state, double weight) {
  CELI_NEED(builder);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(fail_if_built(builder));
  if (state < 0 || state >= builder->states) {
    return cel_fail(CEL_E_RANGE,
                    "initial state %" PRId64 " is out of range; states are 0 to %" PRId64, state,
                    builder->states - 1);
  }
  if (!celi_mdp_is_probability(weight)) {
    return cel_fail(isnan(weight) ? CEL_E_NAN : CEL_E_RANGE,
                    "initial state %" PRId64 ": the probability %g is not in [0, 1]", state,
                    weight);
  }
  if (!builder->start) {
    CELI_TRY(celi_calloc(&builder->start, (size_t)builder->states, sizeof *builder->start,
                         "the initial distribution"));
  }
  builder->start[state] = fmax(weight, 0.0);
  return CEL_OK;
}

CelStatus cel_mdp_set_grid(CelMdpBuilder *builder, const CelMdpGrid *grid) {
  CELI_NEED(builder);
  CELI_NEED(grid);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(fail_if_built(builder));
  CELI_TRY(celi_mdp_check_grid(grid, builder->states));
  const size_t cells = (size_t)(grid->rows * grid->columns), actions = (size_t)grid->actions;
  int64_t *state = NULL;
  int8_t *direction = NULL;
  CELI_TRY(celi_alloc(&state, cells, sizeof *state, "a grid"));
  CelStatus status = celi_alloc(&direction, actions, 2 * sizeof *direction, "a grid");
  if (status != CEL_OK) {
    free(state);
    return status;
  }
  memcpy(state, grid->state, cells * sizeof *state);
  memcpy(direction, grid->direction, 2 * actions * sizeof *direction);
  free(builder->grid_state);
  free(builder->direction);
  builder->grid_state = state;
  builder->direction = direction;
  builder->grid = (CelMdpGrid){grid->rows, grid->columns, state, direction, grid->actions};
  builder->has_grid = true;
  return CEL_OK;
}

CelStatus cel_mdp_set_name(CelMdpBuilder *builder, const char *name) {
  CELI_NEED(builder);
  CELI_NEED(name);
  CELI_FLOATS(CELI_IEEE);
  CELI_TRY(fail_if_built(builder));
  if (strlen(name) >= sizeof builder->name || !celi_text_plain(name)) {
    return cel_fail(CEL_E_RANGE, "the name of the MDP must be printable text of at most %zu bytes",
                    sizeof builder->name - 1);
  }
  strcpy(builder->name, name);
  return CEL_OK;
}

// ---- build

static CelStatus finish_start(CelMdpBuilder *builder) {
  if (!builder->start) {
    CELI_TRY(celi_mdp_uniform_start(builder->pair, builder->states, &builder->start));
  }
  const double sum = celi_mdp_sum(builder->start, builder->states);
  if (!celi_mdp_is_one(sum)) {
    return cel_fail(CEL_E_RANGE, "the initial distribution sums to %.15g; it must sum to 1", sum);
  }
  const double by = divisor(sum, builder->states);
  for (int64_t s = 0; s < builder->states; s++) {
    builder->start[s] = fmin(builder->start[s] / by, 1.0); // the sum may be rounded
  }
  return CEL_OK;
}

static CelStatus finish(CelMdpBuilder *builder) {
  CELI_TRY(close_row(builder));
  if (builder->pairs == 0) {
    return cel_fail(CEL_E_RANGE,
                    "none of the %" PRId64 " state%s has an action; add at least one pair",
                    builder->states, celi_s(builder->states));
  }
  while (builder->state < builder->states) builder->pair[++builder->state] = builder->pairs;
  CELI_TRY(finish_start(builder));
  CELI_TRY(resize_pairs(builder, builder->pairs));
  return resize_transitions(builder, builder->transitions);
}

/// Hands the labels and reward models over. Errors: CEL_E_MEMORY; nothing has changed then.
static CelStatus give_named(CelMdpBuilder *builder, CeliMdp *model) {
  const int64_t L = builder->labels, K = builder->models;
  CelMdpReward *reward = NULL;
  CELI_TRY(celi_mdp_own_more(model, L + 3 * K + 16));
  if (K > 0) CELI_TRY(celi_calloc(&reward, (size_t)K, sizeof *reward, "reward models"));
  for (int64_t i = 0; i < K; i++) {
    const Model *from = &builder->model[i];
    const double *array[] = {from->state, from->pair, from->transition};
    memcpy(reward[i].name, from->name, sizeof from->name);
    reward[i].state = from->state;
    reward[i].pair = from->pair;
    reward[i].transition = from->transition;
    for (int k = 0; k < 3; k++) celi_mdp_own(model, array[k]);
  }
  for (int64_t i = 0; i < L; i++) celi_mdp_own(model, builder->label[i].in);
  celi_mdp_own(model, builder->label);
  celi_mdp_own(model, reward);
  model->mdp.labels = L;
  model->mdp.label = L > 0 ? builder->label : NULL;
  model->mdp.reward_models = K;
  model->mdp.reward_model = reward;
  return CEL_OK;
}

/// Hands every other array over to the CelMdp.
static void give(CelMdpBuilder *builder, CeliMdp *model) {
  const CelMdp named = model->mdp;
  const void *blocks[] = {builder->pair,        builder->row,        builder->reward,
                          builder->action,      builder->next32,     builder->next64,
                          builder->probability, builder->ends,       builder->reward_next,
                          builder->start,       builder->grid_state, builder->direction};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) celi_mdp_own(model, blocks[i]);
  model->grid = builder->grid;
  model->mdp = (CelMdp){.states = builder->states,
                        .pairs = builder->pairs,
                        .transitions = builder->transitions,
                        .max_actions = celi_mdp_max_actions(builder->pair, builder->states),
                        .discount = builder->discount,
                        .horizon = builder->horizon,
                        .pair = builder->pair,
                        .row = builder->row,
                        .next32 = builder->next32,
                        .next64 = builder->next64,
                        .probability = builder->probability,
                        .reward = builder->reward,
                        .reward_next = builder->reward_next,
                        .ends = builder->ends,
                        .action = builder->action,
                        .start = builder->start,
                        .grid = builder->has_grid ? &model->grid : NULL,
                        .labels = named.labels,
                        .label = named.label,
                        .reward_models = named.reward_models,
                        .reward_model = named.reward_model};
  memcpy(model->mdp.name, builder->name, sizeof builder->name);
  drop(builder, false);
}

CelStatus cel_mdp_build(CelMdpBuilder *builder, CelMdp **out) {
  CELI_NEED(builder);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  CeliMdp *model;
  CELI_TRY(fail_if_built(builder));
  CELI_TRY(finish(builder));
  CELI_TRY(celi_mdp_create(&model));
  const CelStatus status = give_named(builder, model);
  if (status != CEL_OK) {
    cel_mdp_destroy(&model->mdp);
    return status;
  }
  give(builder, model);
  *out = &model->mdp;
  return CEL_OK;
}
