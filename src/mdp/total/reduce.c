/// Builds the MDP that remains: one state for each open representative, and a last terminal state,
/// END, for all known nodes. Their values are part of the rewards:
///     r(s,a) + sum_known p value(known),   P(END|s,a) = sum_known p.
/// States are in an order in which successors come first, where the graph allows it. Within a
/// strongly connected component, states that are closer to a known state come first. In-place
/// sweeps in ascending order then carry values along the paths of good policies in few sweeps.
#include "base/base.h"
#include "mdp/model.h"
#include "mdp/total/total.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Entry {
  uint32_t next;
  double p;
} Entry;

/// An MDP under construction.
typedef struct Build {
  CeliTotal *total;
  uint32_t *order; ///< (n) representative of each state
  int64_t n;       ///< open representatives
  Entry *entry;    ///< (longest row + 1)
  int64_t *pair, *row;
  uint32_t *next;
  double *probability, *reward;
  int64_t pairs, transitions, max_actions;
} Build;

/// Lists the states of each representative.
static CelStatus link_members(CeliTotal *total) {
  const size_t nodes = total->graph.nodes;
  CELI_TRY(celi_alloc(&total->next_member, nodes, sizeof *total->next_member, "states"));
  CELI_TRY(celi_alloc(&total->index, nodes, sizeof *total->index, "states"));
  for (size_t n = 0; n < nodes; n++) total->next_member[n] = CELI_NO_COMPONENT;
  for (size_t n = nodes; n-- > 0;) {
    const uint32_t rep = total->rep[n];
    if (rep == n) continue;
    total->next_member[n] = total->next_member[rep];
    total->next_member[rep] = (uint32_t)n;
  }
  return CEL_OK;
}

static bool is_open(const CeliTotal *total, int64_t p) {
  return total->graph.open[p] && !total->inner[p];
}

static bool may_stop(const CeliTotal *total, uint32_t s) {
  return total->stop && total->zero[s];
}

/// Counts pairs and transitions (an upper bound), and the longest row.
static void count(Build *b, int64_t *longest) {
  const CeliTotal *total = b->total;
  const CelMdp *mdp = total->mdp;
  b->pairs = b->transitions = b->max_actions = 0;
  for (int64_t i = 0; i < b->n; i++) {
    int64_t actions = may_stop(total, b->order[i]);
    b->transitions += actions;
    for (uint32_t m = b->order[i]; m != CELI_NO_COMPONENT; m = total->next_member[m]) {
      for (int64_t p = mdp->pair[m]; p < mdp->pair[m + 1]; p++) {
        if (!is_open(total, p)) continue;
        const int64_t length = mdp->row[p + 1] - mdp->row[p];
        b->transitions += length, actions++;
        *longest = length > *longest ? length : *longest;
      }
    }
    b->pairs += actions;
    b->max_actions = actions > b->max_actions ? actions : b->max_actions;
  }
}

static int by_next(const void *a, const void *b) {
  const uint32_t x = ((const Entry *)a)->next, y = ((const Entry *)b)->next;
  return x < y ? -1 : x > y;
}

static void sort_entries(Entry *entry, int64_t n) {
  enum { FEW = 24 };
  if (n > FEW) {
    qsort(entry, (size_t)n, sizeof *entry, by_next);
    return;
  }
  for (int64_t i = 1; i < n; i++) {
    const Entry moved = entry[i];
    int64_t j = i;
    for (; j > 0 && entry[j - 1].next > moved.next; j--) entry[j] = entry[j - 1];
    entry[j] = moved;
  }
}

/// Appends a row from `entry`, sorted and merged.
static void append_row(Build *b, int64_t n, double reward) {
  sort_entries(b->entry, n);
  b->reward[b->pairs] = reward;
  b->row[b->pairs++] = b->transitions;
  const int64_t first = b->transitions;
  for (int64_t i = 0; i < n; i++) {
    if (b->transitions > first && b->next[b->transitions - 1] == b->entry[i].next) {
      b->probability[b->transitions - 1] += b->entry[i].p;
      continue;
    }
    b->next[b->transitions] = b->entry[i].next;
    b->probability[b->transitions++] = b->entry[i].p;
  }
  for (int64_t t = first; t < b->transitions; t++)
    if (b->probability[t] > 1.0) b->probability[t] = 1.0; // merged, so rounded
}

static void append_pair(Build *b, int64_t p) {
  const CeliTotal *total = b->total;
  const CelMdp *mdp = total->mdp;
  double reward = celi_total_reward(total, p);
  int64_t n = 0;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    uint32_t node;
    if (!celi_graph_next(mdp, t, &node)) continue;
    const double probability = mdp->probability[t];
    const bool open = total->kind[node] == CELI_OPEN;
    b->entry[n++] = (Entry){open ? total->index[total->rep[node]] : (uint32_t)b->n, probability};
    if (!open) reward += probability * total->value[node];
  }
  append_row(b, n, reward);
}

static void fill(Build *b) {
  const CeliTotal *total = b->total;
  const CelMdp *mdp = total->mdp;
  b->pairs = b->transitions = 0;
  for (int64_t i = 0; i < b->n; i++) {
    b->pair[i] = b->pairs;
    for (uint32_t m = b->order[i]; m != CELI_NO_COMPONENT; m = total->next_member[m])
      for (int64_t p = mdp->pair[m]; p < mdp->pair[m + 1]; p++)
        if (is_open(total, p)) append_pair(b, p);
    if (!may_stop(total, b->order[i])) continue;
    b->entry[0] = (Entry){(uint32_t)b->n, 1.0};
    append_row(b, 1, 0.0);
  }
  b->pair[b->n] = b->pair[b->n + 1] = b->pairs; // END
  b->row[b->pairs] = b->transitions;
}

static CelStatus allocate(Build *b) {
  const size_t pairs = (size_t)b->pairs, transitions = (size_t)b->transitions;
  const char *what = "the reduced MDP";
  CELI_TRY(celi_alloc(&b->pair, (size_t)b->n + 2, sizeof *b->pair, what));
  CELI_TRY(celi_alloc(&b->row, pairs + 1, sizeof *b->row, what));
  CELI_TRY(celi_alloc(&b->reward, pairs, sizeof *b->reward, what));
  CELI_TRY(celi_alloc(&b->next, transitions, sizeof *b->next, what));
  return celi_alloc(&b->probability, transitions, sizeof *b->probability, what);
}

/// Builds total->reduced in the order of b->order.
static CelStatus build(Build *b) {
  CeliTotal *total = b->total;
  CeliMdp *model;
  int64_t longest = 1;
  for (int64_t i = 0; i < b->n; i++) total->index[b->order[i]] = (uint32_t)i;
  count(b, &longest);
  free(b->entry);
  b->entry = NULL;
  CELI_TRY(celi_alloc(&b->entry, (size_t)longest, sizeof *b->entry, "the reduced MDP"));
  CelStatus status = allocate(b);
  if (status == CEL_OK) status = celi_mdp_create(&model);
  if (status != CEL_OK) {
    free(b->pair), free(b->row), free(b->reward), free(b->next), free(b->probability);
    return status;
  }
  fill(b);
  const void *const blocks[] = {b->pair, b->row, b->reward, b->next, b->probability};
  for (int i = 0; i < 5; i++) celi_mdp_own(model, blocks[i]);
  model->mdp = (CelMdp){.states = b->n + 1,
                        .pairs = b->pairs,
                        .transitions = b->transitions,
                        .max_actions = b->max_actions,
                        .discount = 1.0,
                        .pair = b->pair,
                        .row = b->row,
                        .next32 = b->next,
                        .probability = b->probability,
                        .reward = b->reward};
  total->reduced = &model->mdp;
  return CEL_OK;
}

/// first (n + 1): the states of `reduced` by distance to a known state, END first.
static CelStatus by_distance(const Build *b, uint32_t *first) {
  const CeliTotal *total = b->total;
  uint32_t *least = NULL, *begin = NULL, most = 0;
  const size_t n = (size_t)b->n;
  CelStatus status = celi_alloc(&least, n, sizeof *least, "the order of states");
  if (status == CEL_OK) status = celi_calloc(&begin, n + 3, sizeof *begin, "the order of states");
  for (size_t i = 0; status == CEL_OK && i < n; i++) {
    least[i] = UINT32_MAX;
    for (uint32_t m = b->order[i]; m != CELI_NO_COMPONENT; m = total->next_member[m])
      if (total->distance[m] < least[i]) least[i] = total->distance[m];
    if (least[i] > n) least[i] = (uint32_t)n; // not reached; distances are at most n
    most = least[i] > most ? least[i] : most;
    begin[least[i] + 1]++;
  }
  if (status == CEL_OK) {
    first[0] = (uint32_t)n;
    begin[0] = 1;
    for (size_t d = 0; d <= most; d++) begin[d + 1] += begin[d];
    for (size_t i = 0; i < n; i++) first[begin[least[i]]++] = (uint32_t)i;
  }
  free(least), free(begin);
  return status;
}

/// Puts successors first. Builds again unless the states are in such an order already.
static CelStatus reorder(Build *b) {
  CeliTotal *total = b->total;
  uint32_t *order = NULL, *first = NULL;
  const size_t states = (size_t)b->n + 1;
  CelStatus status = celi_alloc(&order, states, sizeof *order, "the order of states");
  if (status == CEL_OK) status = celi_alloc(&first, states, sizeof *first, "the order of states");
  if (status == CEL_OK)
    status = celi_alloc(&total->component, states, sizeof *first, "the order of states");
  if (status == CEL_OK) status = by_distance(b, first);
  if (status == CEL_OK) status = celi_graph_order(total->reduced, first, order, total->component);
  bool same = true;
  int64_t n = 0;
  for (int64_t i = 0; status == CEL_OK && i <= b->n; i++) {
    if (order[i] == (uint32_t)b->n) continue; // END stays last
    same &= order[i] == (uint32_t)n;
    first[n] = total->component[order[i]];
    order[n++] = b->order[order[i]];
  }
  if (status == CEL_OK) memcpy(total->component, first, (size_t)b->n * sizeof *first);
  free(first);
  if (status == CEL_OK && !same) {
    cel_mdp_destroy(total->reduced);
    total->reduced = NULL;
    memcpy(b->order, order, (size_t)b->n * sizeof *order);
    free(order);
    return build(b);
  }
  free(order);
  return status;
}

CelStatus celi_total_reduce(CeliTotal *total) {
  Build b = {.total = total};
  const uint32_t nodes = total->graph.nodes;
  CELI_TRY(link_members(total));
  CELI_TRY(celi_alloc(&b.order, nodes, sizeof *b.order, "the order of states"));
  for (uint32_t n = 0; n < nodes; n++)
    if (total->kind[n] == CELI_OPEN && total->rep[n] == n) b.order[b.n++] = n;
  CelStatus status = CEL_OK;
  if (b.n > 0) status = build(&b);
  if (b.n > 0 && status == CEL_OK) status = reorder(&b);
  free(b.entry);
  total->state = b.order;
  return status;
}

// ---- the shortest policy

/// Expected distance after a pair, or infinity if no next state is closer than `here`.
static double distance_after(const CelMdp *mdp, int64_t p, const uint32_t *distance,
                             uint32_t here) {
  double mean = 0.0;
  bool closer = false;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    mean += mdp->probability[t] * (double)distance[mdp->next32[t]];
    closer |= distance[mdp->next32[t]] < here;
  }
  return closer ? mean : HUGE_VAL;
}

CelStatus celi_total_shortest(const CeliTotal *total, uint32_t *choice) {
  const CelMdp *mdp = total->reduced;
  const int64_t n = mdp->states - 1;
  uint32_t *distance = NULL;
  CELI_TRY(celi_alloc(&distance, (size_t)mdp->states, sizeof *distance, "a policy"));
  for (int64_t s = 0; s <= n; s++) distance[s] = s < n ? UINT32_MAX : 0;
  for (uint32_t node = 0; node < total->graph.nodes; node++) {
    if (total->kind[node] != CELI_OPEN) continue;
    uint32_t *to = &distance[total->index[total->rep[node]]];
    const uint32_t here = total->distance[node] + 1; // END alone has 0
    if (here < *to) *to = here;
  }
  for (int64_t s = 0; s < n; s++) {
    double least = HUGE_VAL;
    choice[s] = (uint32_t)mdp->pair[s];
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      const double after = distance_after(mdp, p, distance, distance[s]);
      if (after < least) least = after, choice[s] = (uint32_t)p;
    }
  }
  free(distance);
  return CEL_OK;
}
