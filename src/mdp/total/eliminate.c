/// State elimination: Gaussian elimination on the graph of a Markov chain.
///
/// To eliminate s, every predecessor i of s gets transitions to the successors of s instead:
///     p(i,t) += p(i,s) p(s,t) / (1 - p(s,s)),   b(i) += p(i,s) b(s) / (1 - p(s,s)).
/// The chain of the other states stays a Markov chain with the same values. 1 - p(s,s) is the sum
/// of the other probabilities of the row. So nothing is subtracted, and values with b >= 0 have a
/// small relative error however rarely the set is left.
///
/// The state with the fewest predecessors times successors is next. States on a path or in a tree
/// then cost a constant each, and no transitions are added. Transitions into eliminated states do
/// not exist any more, so the row of an eliminated state gives its value when those of later states
/// are known.
/// Source: Grassmann, Taksar, Heyman, "Regenerative analysis and steady state distributions for
/// Markov chains", Oper. Res. 1985; Daws, "Symbolic and parametric model checking of discrete-time
/// Markov chains", 2004; Markowitz, "The elimination form of the inverse", 1957.
#include "mdp/total/eliminate.h"
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
enum { GONE = CELI_BUCKETS }; ///< bucket of an eliminated state
enum { EXACT = 256 };         ///< buckets with one number of transitions each
enum { STOP_EVERY = 16384 };  ///< states between two calls of `stop`

CelStatus celi_elimination_create(CeliElimination *e, uint32_t capacity) {
  const char *what = "the elimination of states";
  e->capacity = capacity;
  CELI_TRY(celi_alloc(&e->state, capacity, sizeof *e->state, what));
  CELI_TRY(celi_alloc(&e->order, capacity, sizeof *e->order, what));
  return celi_calloc(&e->place, capacity, sizeof *e->place, what);
}

void celi_elimination_destroy(CeliElimination *e) {
  free(e->state), free(e->order), free(e->place), free(e->arc), free(e->from);
  *e = (CeliElimination){0};
}

// ---- building

void celi_elimination_begin(CeliElimination *e) {
  e->n = 0;
  e->arcs = e->froms = 0;
}

void celi_elimination_state(CeliElimination *e, const double b[CELI_SIDES], double leave) {
  CEL_ASSERT(e->n < e->capacity);
  CeliEliminated *s = &e->state[e->n++];
  *s = (CeliEliminated){.leave = leave, .row = (uint32_t)e->arcs};
  memcpy(s->b, b, sizeof s->b);
}

/// Makes room for `more` elements at the end. Positions have 32 bits.
static CelStatus grow(void *array, size_t used, size_t *room, size_t more, size_t size) {
  const char *what = "the elimination of states";
  if (used + more <= *room) return CEL_OK;
  const size_t wanted = used + more + (used + more) / 2 + 1024;
  if (wanted > UINT32_MAX) return cel_fail(CEL_E_MEMORY, "too many transitions for %s", what);
  CELI_TRY(celi_resize(array, wanted, size, what));
  *room = wanted;
  return CEL_OK;
}

CelStatus celi_elimination_arc(CeliElimination *e, uint32_t to, double p) {
  CELI_TRY(grow(&e->arc, e->arcs, &e->arc_room, 1, sizeof *e->arc));
  e->arc[e->arcs++] = (CeliArc){p, to};
  e->state[e->n - 1].length++, e->state[e->n - 1].room++;
  return CEL_OK;
}

/// Lists the predecessors of each state, with room for one more.
static CelStatus link_back(CeliElimination *e) {
  for (uint32_t s = 0; s < e->n; s++)
    for (uint32_t i = 0; i < e->state[s].length; i++)
      e->state[e->arc[e->state[s].row + i].to].places++;
  CELI_TRY(grow(&e->from, 0, &e->from_room, e->arcs + e->n, sizeof *e->from));
  for (uint32_t s = 0; s < e->n; s++) {
    e->state[s].back = (uint32_t)e->froms;
    e->froms += ++e->state[s].places;
  }
  for (uint32_t s = 0; s < e->n; s++)
    for (uint32_t i = 0; i < e->state[s].length; i++) {
      CeliEliminated *to = &e->state[e->arc[e->state[s].row + i].to];
      e->from[to->back + to->known++] = s;
      to->sources++;
    }
  return CEL_OK;
}

// ---- buckets

static uint32_t bucket_of(const CeliEliminated *s) {
  const uint64_t fill = (uint64_t)s->sources * s->length;
  if (fill < EXACT) return (uint32_t)fill;
  uint32_t bits = 0; // EXACT = 2^8, and the product of two 32-bit numbers is below 2^64
  for (uint64_t rest = fill; rest > 1; rest >>= 1) bits++;
  return EXACT + bits - 8;
}

static void unlink_state(CeliElimination *e, CeliEliminated *s) {
  if (s->before == NONE)
    e->first[s->bucket] = s->next;
  else
    e->state[s->before].next = s->next;
  if (s->next == NONE)
    e->last[s->bucket] = s->before;
  else
    e->state[s->next].before = s->before;
}

static void link_state(CeliElimination *e, uint32_t number) {
  CeliEliminated *s = &e->state[number];
  s->bucket = bucket_of(s);
  s->before = e->last[s->bucket], s->next = NONE;
  if (s->before == NONE)
    e->first[s->bucket] = number;
  else
    e->state[s->before].next = number;
  e->last[s->bucket] = number;
}

static void update_bucket(CeliElimination *e, uint32_t number, uint32_t *lowest) {
  CeliEliminated *s = &e->state[number];
  const uint32_t bucket = bucket_of(s);
  if (bucket == s->bucket) return;
  unlink_state(e, s);
  link_state(e, number);
  if (bucket < *lowest) *lowest = bucket;
}

// ---- elimination

/// Adds `i` to the predecessors of `to`.
static CelStatus add_source(CeliElimination *e, uint32_t i, uint32_t to) {
  CeliEliminated *t = &e->state[to];
  if (t->known == t->places) { // forgets eliminated states
    uint32_t kept = 0;
    for (uint32_t k = 0; k < t->known; k++) {
      const uint32_t source = e->from[t->back + k];
      if (e->state[source].bucket != GONE) e->from[t->back + kept++] = source;
    }
    t->known = kept;
  }
  if (t->known == t->places) {
    const uint32_t places = 2 * t->places + 2;
    CELI_TRY(grow(&e->from, e->froms, &e->from_room, places, sizeof *e->from));
    memcpy(e->from + e->froms, e->from + t->back, t->known * sizeof *e->from);
    t->back = (uint32_t)e->froms, t->places = places;
    e->froms += places;
  }
  e->from[t->back + t->known++] = i;
  t->sources++;
  return CEL_OK;
}

static CelStatus make_room(CeliElimination *e, CeliEliminated *s, uint32_t more) {
  if (s->length + more <= s->room) return CEL_OK;
  const uint32_t room = 2 * (s->length + more);
  CELI_TRY(grow(&e->arc, e->arcs, &e->arc_room, room, sizeof *e->arc));
  memcpy(e->arc + e->arcs, e->arc + s->row, s->length * sizeof *e->arc);
  s->row = (uint32_t)e->arcs, s->room = room;
  e->arcs += room;
  return CEL_OK;
}

/// Replaces the transition of state i to s by transitions to the successors of s.
static CelStatus bypass(CeliElimination *e, uint32_t i, uint32_t number) {
  const CeliEliminated *s = &e->state[number];
  CeliEliminated *from = &e->state[i];
  uint32_t at = 0;
  while (e->arc[from->row + at].to != number) at++;
  const double p = e->arc[from->row + at].p * s->leave;
  e->arc[from->row + at] = e->arc[from->row + --from->length];
  for (int k = 0; k < CELI_SIDES; k++) from->b[k] += p * s->b[k];
  if (s->length == 0) return CEL_OK;
  CELI_TRY(make_room(e, from, s->length));
  CeliArc *row = e->arc + from->row;
  for (uint32_t k = 0; k < from->length; k++) e->place[row[k].to] = k + 1;
  for (uint32_t k = 0; k < s->length; k++) {
    const CeliArc arc = e->arc[s->row + k];
    if (arc.to == i) continue; // a loop, which the sum of the others accounts for
    if (e->place[arc.to] > 0) {
      row[e->place[arc.to] - 1].p += p * arc.p;
      continue;
    }
    row[from->length++] = (CeliArc){p * arc.p, arc.to};
    CELI_TRY(add_source(e, i, arc.to));
  }
  for (uint32_t k = 0; k < from->length; k++) e->place[row[k].to] = 0;
  return CEL_OK;
}

/// The probability to leave the set from i grows by that of s.
static CeliEliminationEnd eliminate(CeliElimination *e, uint32_t number, uint32_t *lowest) {
  CeliEliminated *s = &e->state[number];
  const double leave = s->leave;
  double sum = leave;
  for (uint32_t k = 0; k < s->length; k++) sum += e->arc[s->row + k].p;
  if (!(sum > 0.0)) return CELI_NEVER_LEFT;
  unlink_state(e, s);
  s->bucket = GONE;
  s->leave = 1.0 / sum;
  for (uint32_t k = 0; k < s->length; k++) e->state[e->arc[s->row + k].to].sources--;
  for (uint32_t k = 0; k < s->known; k++) {
    const uint32_t i = e->from[s->back + k];
    if (e->state[i].bucket == GONE) continue;
    e->work += e->state[i].length + s->length;
    const CeliArc *row = e->arc + e->state[i].row;
    uint32_t at = 0;
    while (row[at].to != number) at++;
    e->state[i].leave += row[at].p * s->leave * leave;
    if (bypass(e, i, number) != CEL_OK) return CELI_TOO_DENSE;
    update_bucket(e, i, lowest);
  }
  for (uint32_t k = 0; k < s->length; k++) update_bucket(e, e->arc[s->row + k].to, lowest);
  return CELI_ELIMINATED;
}

static void substitute(const CeliElimination *e, double (*x)[CELI_SIDES]) {
  for (uint32_t k = e->n; k-- > 0;) {
    const uint32_t number = e->order[k];
    const CeliEliminated *s = &e->state[number];
    double sum[CELI_SIDES];
    memcpy(sum, s->b, sizeof sum);
    for (uint32_t i = 0; i < s->length; i++) {
      const CeliArc arc = e->arc[s->row + i];
      for (int side = 0; side < CELI_SIDES; side++) sum[side] += arc.p * x[arc.to][side];
    }
    for (int side = 0; side < CELI_SIDES; side++) x[number][side] = sum[side] * s->leave;
  }
}

CeliEliminationEnd celi_elimination_solve(CeliElimination *e, double (*x)[CELI_SIDES], double most,
                                          bool (*stop)(void *user), void *user) {
  if (link_back(e) != CEL_OK) return CELI_TOO_DENSE;
  e->work = 0.0;
  for (int i = 0; i < CELI_BUCKETS; i++) e->first[i] = e->last[i] = NONE;
  for (uint32_t s = 0; s < e->n; s++) link_state(e, s);
  uint32_t lowest = 0;
  for (uint32_t k = 0; k < e->n; k++) {
    while (e->first[lowest] == NONE) lowest++;
    const uint32_t s = e->order[k] = e->first[lowest];
    const CeliEliminationEnd end = eliminate(e, s, &lowest);
    if (end != CELI_ELIMINATED) return end;
    if (e->work > most) return CELI_TOO_DENSE;
    if (k % STOP_EVERY == STOP_EVERY - 1 && stop && stop(user)) return CELI_STOPPED;
  }
  substitute(e, x);
  return CELI_ELIMINATED;
}
