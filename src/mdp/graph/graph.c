/// Searches in the graph of an MDP. Each takes time linear in the transitions, except
/// celi_graph_surely_reach, which repeats a linear search until nothing changes.
#include "mdp/graph/graph.h"
#include "base/base.h"
#include <stdlib.h>
#include <string.h>

// ---- create, destroy

/// Fills `incoming` and `from` by counting.
static void link_back(CeliGraph *g) {
  const CelMdp *mdp = g->mdp;
  uint32_t node;
  for (int64_t t = 0; t < mdp->transitions; t++)
    if (celi_graph_next(mdp, t, &node)) g->incoming[node + 1]++;
  for (uint32_t n = 0; n < g->nodes; n++) g->incoming[n + 1] += g->incoming[n];
  for (int64_t p = mdp->pairs - 1; p >= 0; p--)
    for (int64_t t = mdp->row[p + 1] - 1; t >= mdp->row[p]; t--)
      if (celi_graph_next(mdp, t, &node)) g->from[--g->incoming[node + 1]] = (uint32_t)p;
  // Every start has moved down to its own beginning, one element too far right.
  for (uint32_t n = 0; n < g->nodes; n++) g->incoming[n] = g->incoming[n + 1];
  int64_t all = 0;
  for (int64_t t = 0; t < mdp->transitions; t++) all += mdp->probability[t] > 0.0;
  g->incoming[g->nodes] = all;
}

static CelStatus allocate(CeliGraph *g) {
  const size_t nodes = g->nodes, pairs = (size_t)g->mdp->pairs;
  CELI_TRY(celi_alloc(&g->state_of, pairs, sizeof *g->state_of, "the graph of an MDP"));
  CELI_TRY(celi_calloc(&g->incoming, nodes + 1, sizeof *g->incoming, "the graph of an MDP"));
  CELI_TRY(
      celi_alloc(&g->from, (size_t)g->mdp->transitions, sizeof *g->from, "the graph of an MDP"));
  CELI_TRY(celi_alloc(&g->open, pairs, 1, "the graph of an MDP"));
  CELI_TRY(celi_alloc(&g->queue, nodes, sizeof *g->queue, "the graph of an MDP"));
  CELI_TRY(celi_alloc(&g->mark, nodes, 1, "the graph of an MDP"));
  return celi_alloc(&g->count, nodes, sizeof *g->count, "the graph of an MDP");
}

CelStatus celi_graph_create(CeliGraph *g, const CelMdp *mdp) {
  if (mdp->states >= INT32_MAX || mdp->pairs >= (int64_t)UINT32_MAX)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%lld states with %lld actions are too many; without a discount, solvers "
                    "support fewer than 2^31 states and 2^32 actions",
                    (long long)mdp->states, (long long)mdp->pairs);
  *g = (CeliGraph){.mdp = mdp, .nodes = (uint32_t)mdp->states + 1};
  CELI_TRY(allocate(g));
  for (int64_t s = 0; s < mdp->states; s++)
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) g->state_of[p] = (uint32_t)s;
  memset(g->open, 1, (size_t)mdp->pairs);
  link_back(g);
  return CEL_OK;
}

void celi_graph_destroy(CeliGraph *g) {
  free(g->state_of), free(g->incoming), free(g->from);
  free(g->open), free(g->queue), free(g->count), free(g->mark);
  *g = (CeliGraph){0};
}

// ---- closing

void celi_graph_close_states(CeliGraph *g, const uint8_t *set) {
  const CelMdp *mdp = g->mdp;
  for (int64_t s = 0; s < mdp->states; s++)
    if (set[s]) memset(g->open + mdp->pair[s], 0, (size_t)(mdp->pair[s + 1] - mdp->pair[s]));
}

static void close_into(CeliGraph *g, uint32_t node) {
  for (int64_t i = g->incoming[node]; i < g->incoming[node + 1]; i++) g->open[g->from[i]] = 0;
}

void celi_graph_close_leaving(CeliGraph *g, const uint8_t *inside) {
  for (uint32_t n = 0; n < g->nodes; n++)
    if (!inside[n]) close_into(g, n);
}

// ---- searches

static uint32_t enqueue_set(const CeliGraph *g, const uint8_t *set, uint32_t *distance) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < g->nodes; i++) {
    if (!set[i]) continue;
    g->queue[n++] = i;
    if (distance) distance[i] = 0;
  }
  return n;
}

void celi_graph_can_reach(const CeliGraph *g, uint8_t *set, uint32_t *distance) {
  uint32_t n = enqueue_set(g, set, distance);
  for (uint32_t head = 0; head < n; head++) {
    const uint32_t node = g->queue[head];
    for (int64_t i = g->incoming[node]; i < g->incoming[node + 1]; i++) {
      const uint32_t p = g->from[i], s = g->state_of[p];
      if (!g->open[p] || set[s]) continue;
      set[s] = 1;
      if (distance) distance[s] = distance[node] + 1;
      g->queue[n++] = s;
    }
  }
}

/// True if an open pair leads into the set.
static bool leads_into(const CelMdp *mdp, int64_t p, const uint8_t *set) {
  uint32_t node;
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++)
    if (celi_graph_next(mdp, t, &node) && set[node]) return true;
  return false;
}

/// True if every open pair of a state leads into the set, and there is one.
static bool all_lead_into(const CeliGraph *g, uint32_t s, const uint8_t *set) {
  bool any = false;
  for (int64_t p = g->mdp->pair[s]; p < g->mdp->pair[s + 1]; p++) {
    if (!g->open[p]) continue;
    if (!leads_into(g->mdp, p, set)) return false;
    any = true;
  }
  return any;
}

void celi_graph_must_reach(CeliGraph *g, uint8_t *set) {
  // count: open pairs that do not lead into the set yet. A pair may have several transitions into
  // it, so a state whose count could reach 0 is checked again.
  const CelMdp *mdp = g->mdp;
  for (uint32_t s = 0; s < g->nodes; s++) {
    g->count[s] = 0;
    for (int64_t p = s < mdp->states ? mdp->pair[s] : 0; s < mdp->states && p < mdp->pair[s + 1];
         p++)
      g->count[s] += g->open[p];
  }
  uint32_t n = enqueue_set(g, set, NULL);
  for (uint32_t head = 0; head < n; head++) {
    const uint32_t node = g->queue[head];
    for (int64_t i = g->incoming[node]; i < g->incoming[node + 1]; i++) {
      const uint32_t p = g->from[i], s = g->state_of[p];
      if (!g->open[p] || set[s]) continue;
      if (g->count[s] > 1) {
        g->count[s]--;
        continue;
      }
      if (!all_lead_into(g, s, set)) continue;
      set[s] = 1;
      g->queue[n++] = s;
    }
  }
}

/// Removes the node at the front of the queue from `inside`: closes the pairs that lead to it, and
/// removes the states that have no pair left. Returns the new end of the queue.
static uint32_t remove_node(CeliGraph *g, uint8_t *inside, const uint8_t *goal, uint32_t node,
                            uint32_t end) {
  for (int64_t i = g->incoming[node]; i < g->incoming[node + 1]; i++) {
    const uint32_t p = g->from[i], s = g->state_of[p];
    if (!g->open[p]) continue;
    g->open[p] = 0;
    if (--g->count[s] > 0 || !inside[s] || goal[s]) continue;
    inside[s] = 0;
    g->queue[end++] = s;
  }
  return end;
}

void celi_graph_surely_reach(CeliGraph *g, uint8_t *inside, const uint8_t *goal) {
  celi_graph_close_leaving(g, inside);
  memset(g->count, 0, g->nodes * sizeof *g->count); // open pairs
  for (int64_t p = 0; p < g->mdp->pairs; p++) g->count[g->state_of[p]] += g->open[p];
  for (bool changed = true; changed;) {
    memcpy(g->mark, goal, g->nodes);
    celi_graph_can_reach(g, g->mark, NULL);
    uint32_t end = 0;
    for (uint32_t n = 0; n < g->nodes; n++) {
      if (!inside[n] || g->mark[n]) continue;
      inside[n] = 0;
      g->queue[end++] = n;
    }
    changed = end > 0;
    for (uint32_t head = 0; head < end; head++)
      end = remove_node(g, inside, goal, g->queue[head], end);
  }
}
