/// The graph of an MDP: which states can, or must, reach a set; end components.
///
/// Only the support of the probabilities matters, so every answer is exact. The nodes are the
/// states and one more, END, to which all transitions that end the episode lead. Terminal states
/// and END have no pairs. A set of nodes is an array of bytes, 0 or 1, with `nodes` elements.
///
/// Pairs can be closed. A closed pair does not exist for any function below.
/// Source: de Alfaro, "Formal verification of probabilistic systems", 1997, ch. 3; Baier, Katoen,
/// "Principles of model checking", 2008, 10.6.
#ifndef CELI_MDP_GRAPH_H
#define CELI_MDP_GRAPH_H
#include "celsius/mdp.h"

#define CELI_NO_COMPONENT UINT32_MAX

typedef struct CeliGraph {
  const CelMdp *mdp;
  uint32_t nodes;     ///< states + 1
  uint32_t *state_of; ///< (pairs) the state of each pair
  int64_t *incoming;  ///< (nodes + 1) first element of `from` of each node
  uint32_t *from;     ///< pairs with a transition to the node
  uint8_t *open;      ///< (pairs) 0: closed
  uint32_t *queue;    ///< (nodes) scratch
  uint32_t *count;    ///< (nodes) scratch
  uint8_t *mark;      ///< (nodes) scratch
} CeliGraph;

/// Errors: CEL_E_UNSUPPORTED (2^31 states or 2^32 pairs), CEL_E_MEMORY.
CelStatus celi_graph_create(CeliGraph *g, const CelMdp *mdp) CEL_WARN_UNUSED;
/// `g` may be all zero.
void celi_graph_destroy(CeliGraph *g);

/// The node to which transition t leads. False if its probability is 0: it does not exist.
static inline bool celi_graph_next(const CelMdp *mdp, int64_t t, uint32_t *node) {
  *node = mdp->ends && mdp->ends[t] ? (uint32_t)mdp->states : (uint32_t)cel_mdp_next(mdp, t);
  return mdp->probability[t] > 0.0;
}

/// Closes all pairs of the states in a set.
void celi_graph_close_states(CeliGraph *g, const uint8_t *set);
/// Closes all pairs that lead to a node outside of `inside` with positive probability.
void celi_graph_close_leaving(CeliGraph *g, const uint8_t *inside);

/// Adds to `set` all nodes from which some policy reaches it with positive probability. With
/// `distance` (nodes; may be NULL): the least number of steps to the set; unchanged elsewhere.
void celi_graph_can_reach(const CeliGraph *g, uint8_t *set, uint32_t *distance);
/// Adds to `set` all nodes from which every policy reaches it with positive probability.
void celi_graph_must_reach(CeliGraph *g, uint8_t *set);
/// Removes from `inside` all nodes from which no policy reaches `goal` with probability 1 without
/// leaving `inside`. Closes the pairs that leave the result. `goal` must be a subset of `inside`.
void celi_graph_surely_reach(CeliGraph *g, uint8_t *inside, const uint8_t *goal);

/// Maximal end components of the pairs with use[p] = 1 (pairs). An end component is a set of states
/// and pairs with which a policy can stay in it forever and visit all of it.
/// component (nodes): a number for each, or CELI_NO_COMPONENT. use[p] is then 1 for the pairs of
/// components only. *count: number of components. Errors: CEL_E_MEMORY.
CelStatus celi_graph_components(CeliGraph *g, uint8_t *use, uint32_t *component,
                                uint32_t *count) CEL_WARN_UNUSED;

/// order (states): the states by strongly connected component, with every component after those
/// that it leads to. Within a component, states keep the order of `first` (states), which lists all
/// states. component (states; may be NULL): the component of each state, numbered in that order.
/// Errors: CEL_E_MEMORY.
CelStatus celi_graph_order(const CelMdp *mdp, const uint32_t *first, uint32_t *order,
                           uint32_t *component) CEL_WARN_UNUSED;

#endif
