/// Maximal end components, and an order of the states by strongly connected components.
///
/// Strongly connected components come from Tarjan's algorithm with an explicit stack. End
/// components come from a list of candidate sets. A candidate loses the pairs that leave it and the
/// states without a pair. If it is then strongly connected, it is an end component. Otherwise its
/// strongly connected components are new candidates.
/// Source: Tarjan, "Depth-first search and linear graph algorithms", 1972; de Alfaro, "Formal
/// verification of probabilistic systems", 1997, 3.3.
#include "base/base.h"
#include "mdp/graph/graph.h"
#include <stdlib.h>
#include <string.h>

#define NONE CELI_NO_COMPONENT
#define DONE (UINT32_MAX - 1) // index of a state whose component is known

/// A state on the path of the search, and its next transition.
typedef struct Frame {
  uint32_t state, pair;
  int64_t t;
} Frame;

typedef struct Search {
  const CelMdp *mdp;
  const uint8_t *use;    ///< (pairs) 1: exists; NULL: all exist
  const uint32_t *group; ///< (states) only states of group `within` exist; NULL: all exist
  uint32_t within;
  uint32_t *index, *low; ///< (states)
  uint32_t *stack;       ///< (states)
  Frame *path;           ///< (states)
  uint32_t next, stacked;
  /// (states) states in the order in which their components were completed
  uint32_t *out;
  uint32_t *end; ///< (states) end of each component in `out`
  uint32_t n, components;
} Search;

static void search_free(Search *search) {
  free(search->index), free(search->low), free(search->stack), free(search->path);
  free(search->out), free(search->end);
  *search = (Search){0}; // may be called again
}

static CelStatus search_make(Search *search, const CelMdp *mdp) {
  const size_t S = (size_t)mdp->states, size = sizeof(uint32_t);
  const char *what = "the components of an MDP";
  *search = (Search){.mdp = mdp};
  CelStatus status = celi_alloc(&search->index, S, size, what);
  if (status == CEL_OK) status = celi_alloc(&search->low, S, size, what);
  if (status == CEL_OK) status = celi_alloc(&search->stack, S, size, what);
  if (status == CEL_OK) status = celi_alloc(&search->path, S, sizeof(Frame), what);
  if (status == CEL_OK) status = celi_alloc(&search->out, S, size, what);
  if (status == CEL_OK) status = celi_alloc(&search->end, S, size, what);
  if (status != CEL_OK) search_free(search);
  return status;
}

static Frame enter(Search *search, uint32_t s) {
  search->index[s] = search->low[s] = search->next++;
  search->stack[search->stacked++] = s;
  const int64_t p = search->mdp->pair[s];
  return (Frame){.state = s, .pair = (uint32_t)p, .t = search->mdp->row[p]};
}

/// Moves to the frame's next existing transition. Returns its state, or NONE.
static uint32_t successor(const Search *search, Frame *frame) {
  const CelMdp *mdp = search->mdp;
  const int64_t last = mdp->pair[frame->state + 1];
  for (; frame->pair < last; frame->pair++, frame->t = mdp->row[frame->pair]) {
    if (search->use && !search->use[frame->pair]) continue;
    while (frame->t < mdp->row[frame->pair + 1]) {
      uint32_t node;
      const bool exists = celi_graph_next(mdp, frame->t++, &node) && node < mdp->states;
      if (exists && (!search->group || search->group[node] == search->within)) return node;
    }
  }
  return NONE;
}

/// The component of s is complete: moves it from the stack to `out`.
static void complete(Search *search, uint32_t s) {
  uint32_t member;
  do {
    member = search->stack[--search->stacked];
    search->index[member] = DONE;
    search->out[search->n++] = member;
  } while (member != s);
  search->end[search->components++] = search->n;
}

/// Visits everything that can be reached from `root`.
static void visit(Search *search, uint32_t root) {
  uint32_t depth = 0;
  search->path[depth++] = enter(search, root);
  while (depth > 0) {
    Frame *frame = &search->path[depth - 1];
    const uint32_t s = frame->state, next = successor(search, frame);
    if (next == NONE) {
      if (search->low[s] == search->index[s]) complete(search, s);
      if (--depth == 0) break;
      const uint32_t parent = search->path[depth - 1].state;
      if (search->low[s] < search->low[parent]) search->low[parent] = search->low[s];
    } else if (search->index[next] == NONE) {
      search->path[depth++] = enter(search, next);
    } else if (search->index[next] != DONE && search->index[next] < search->low[s]) {
      search->low[s] = search->index[next];
    }
  }
}

CelStatus celi_graph_order(const CelMdp *mdp, const uint32_t *first, uint32_t *order,
                           uint32_t *component) {
  const uint32_t S = (uint32_t)mdp->states;
  Search search;
  CELI_TRY(search_make(&search, mdp));
  for (uint32_t s = 0; s < S; s++) search.index[s] = NONE;
  for (uint32_t s = 0; s < S; s++)
    if (search.index[s] == NONE) visit(&search, s);
  // Counting sort by component. low: the component of a state; end: where the next one goes.
  for (uint32_t c = 0, i = 0; c < search.components; c++)
    for (; i < search.end[c]; i++) search.low[search.out[i]] = c;
  for (uint32_t c = search.components; c-- > 0;) search.end[c] = c ? search.end[c - 1] : 0;
  for (uint32_t i = 0; i < S; i++) order[search.end[search.low[first[i]]]++] = first[i];
  if (component) memcpy(component, search.low, S * sizeof *component);
  search_free(&search);
  return CEL_OK;
}

// ---- end components

typedef struct Decomposition {
  CeliGraph *g;
  uint8_t *use;
  uint32_t *group;     ///< (nodes) the candidate of each state
  uint32_t *order;     ///< (states) states by candidate
  uint32_t *from, *to; ///< (states) stack of candidates as ranges of `order`
  uint32_t stacked;
  uint32_t groups; ///< numbers given to candidates so far
  Search search;
} Decomposition;

/// Removes pair p of state s. Returns true if s has no pair left.
static bool drop_pair(Decomposition *d, uint32_t p, uint32_t s) {
  if (!d->use[p]) return false;
  d->use[p] = 0;
  return --d->g->count[s] == 0;
}

static bool leaves(const Decomposition *d, int64_t p, uint32_t group) {
  const CelMdp *mdp = d->g->mdp;
  uint32_t node;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
    if (celi_graph_next(mdp, t, &node) && d->group[node] != group) return true;
  return false;
}

/// Removes the pairs that leave a candidate, and the states without a pair. Moves the states that
/// remain to the front of the range and returns their end. *changed: something was removed.
static uint32_t shrink(Decomposition *d, uint32_t group, uint32_t begin, uint32_t end,
                       bool *changed) {
  const CelMdp *mdp = d->g->mdp;
  uint32_t n = 0;
  for (uint32_t i = begin; i < end; i++) {
    const uint32_t s = d->order[i];
    bool empty = d->g->count[s] == 0;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (!d->use[p] || !leaves(d, p, group)) continue;
      *changed = true;
      empty |= drop_pair(d, (uint32_t)p, s);
    }
    if (empty) d->g->queue[n++] = s;
  }
  for (uint32_t head = 0; head < n; head++) d->group[d->g->queue[head]] = NONE;
  for (uint32_t head = 0; head < n; head++) {
    const uint32_t s = d->g->queue[head];
    *changed = true;
    for (int64_t i = d->g->incoming[s]; i < d->g->incoming[s + 1]; i++) {
      const uint32_t p = d->g->from[i], before = d->g->state_of[p];
      if (d->group[before] != group || !drop_pair(d, p, before)) continue;
      d->group[before] = NONE;
      d->g->queue[n++] = before;
    }
  }
  uint32_t last = begin;
  for (uint32_t i = begin; i < end; i++)
    if (d->group[d->order[i]] == group) d->order[last++] = d->order[i];
  return last;
}

/// Splits a candidate into its strongly connected components. Returns their number.
static uint32_t split(Decomposition *d, uint32_t group, uint32_t begin, uint32_t end) {
  Search *search = &d->search;
  search->use = d->use, search->group = d->group, search->within = group;
  search->next = search->stacked = search->n = search->components = 0;
  for (uint32_t i = begin; i < end; i++) search->index[d->order[i]] = NONE;
  for (uint32_t i = begin; i < end; i++)
    if (search->index[d->order[i]] == NONE) visit(search, d->order[i]);
  if (search->components == 1) return 1;
  memcpy(d->order + begin, search->out, (size_t)(end - begin) * sizeof *d->order);
  uint32_t at = 0;
  for (uint32_t c = 0; c < search->components; c++) {
    const uint32_t number = d->groups++;
    d->from[d->stacked] = begin + at, d->to[d->stacked++] = begin + search->end[c];
    for (; at < search->end[c]; at++) d->group[search->out[at]] = number;
  }
  return search->components;
}

static void decompose(Decomposition *d) {
  while (d->stacked > 0) {
    d->stacked--;
    const uint32_t begin = d->from[d->stacked];
    const uint32_t group = d->group[d->order[begin]];
    bool changed = false;
    const uint32_t end = shrink(d, group, begin, d->to[d->stacked], &changed);
    if (end > begin && (changed || group == 0)) split(d, group, begin, end);
  }
}

/// Numbers the components from 0 in the order of their first states.
static CelStatus renumber(Decomposition *d, uint32_t *component, uint32_t *count) {
  uint32_t *number = NULL;
  const uint32_t S = (uint32_t)d->g->mdp->states;
  CELI_TRY(celi_alloc(&number, d->groups, sizeof *number, "the components of an MDP"));
  for (uint32_t i = 0; i < d->groups; i++) number[i] = NONE;
  *count = 0;
  for (uint32_t s = 0; s < S; s++) {
    if (component[s] == NONE) continue;
    if (number[component[s]] == NONE) number[component[s]] = (*count)++;
    component[s] = number[component[s]];
  }
  free(number);
  return CEL_OK;
}

static CelStatus decompose_all(Decomposition *d, uint32_t *component, uint32_t *count) {
  const CelMdp *mdp = d->g->mdp;
  const uint32_t S = (uint32_t)mdp->states;
  CELI_TRY(search_make(&d->search, mdp));
  CELI_TRY(celi_alloc(&d->order, S, sizeof *d->order, "the components of an MDP"));
  CELI_TRY(celi_alloc(&d->from, S, sizeof *d->from, "the components of an MDP"));
  CELI_TRY(celi_alloc(&d->to, S, sizeof *d->to, "the components of an MDP"));
  uint32_t n = 0;
  component[S] = NONE;
  for (uint32_t s = 0; s < S; s++) {
    uint32_t pairs = 0;
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      d->use[p] &= d->g->open[p];
      pairs += d->use[p];
    }
    d->g->count[s] = pairs;
    component[s] = pairs > 0 ? 0 : NONE;
    if (pairs > 0) d->order[n++] = s;
  }
  d->groups = 1;
  if (n > 0) d->from[0] = 0, d->to[0] = n, d->stacked = 1;
  decompose(d);
  return renumber(d, component, count);
}

CelStatus celi_graph_components(CeliGraph *g, uint8_t *use, uint32_t *component, uint32_t *count) {
  Decomposition d = {.g = g, .use = use, .group = component};
  const CelStatus status = decompose_all(&d, component, count);
  search_free(&d.search);
  free(d.order), free(d.from), free(d.to);
  return status;
}
