/// The search for reachable states: a list of states and a hash table of their numbers. Moves are
/// computed twice, once to find the states and once for the builder, which takes less memory than
/// to keep them.
#include "mdp/generators/explore.h"
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
enum { FIRST_ROOM = 1024 }; ///< states

typedef struct Search {
  const CeliExplore *family;
  const void *what;
  size_t size;
  uint8_t *state; ///< (room, size)
  int64_t states, room;
  uint32_t *table; ///< (mask + 1) number of a state, or NONE
  size_t mask;
  CeliMoves moves;
} Search;

// ---- moves

void celi_moves_choice(CeliMoves *moves, double reward) {
  if (moves->status != CEL_OK) return;
  if (moves->choices == moves->choice_room) {
    const size_t room = (size_t)moves->choice_room * 2 + 16;
    moves->status = celi_resize(&moves->reward, room, sizeof *moves->reward, "moves");
    if (moves->status == CEL_OK)
      moves->status = celi_resize(&moves->first, room + 1, sizeof *moves->first, "moves");
    if (moves->status != CEL_OK) return;
    moves->choice_room = (int64_t)room;
  }
  moves->reward[moves->choices] = reward;
  moves->first[moves->choices++] = moves->n;
}

void celi_moves_to(CeliMoves *moves, double p, const void *state) {
  if (moves->status != CEL_OK) return;
  if (moves->n == moves->room) {
    const size_t room = (size_t)moves->room * 2 + 64;
    moves->status = celi_resize(&moves->p, room, sizeof *moves->p, "moves");
    if (moves->status == CEL_OK)
      moves->status = celi_resize(&moves->next, room, moves->size, "moves");
    if (moves->status != CEL_OK) return;
    moves->room = (int64_t)room;
  }
  memcpy(moves->next + (size_t)moves->n * moves->size, state, moves->size);
  moves->p[moves->n++] = p;
}

static CelStatus moves_of(Search *search, int64_t s) {
  CeliMoves *moves = &search->moves;
  const uint8_t *state = search->state + (size_t)s * search->size;
  moves->choices = moves->n = 0;
  search->family->moves(search->what, state, moves);
  if (moves->choices == 0) celi_moves_step(moves, 0.0, state);
  if (moves->status == CEL_OK) moves->first[moves->choices] = moves->n;
  return moves->status;
}

// ---- states

static uint64_t hash(const uint8_t *state, size_t size) {
  uint64_t h = 0;
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = 0;
    memcpy(&word, state + i, size - i < 8 ? size - i : 8);
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    h ^= h >> 29;
  }
  return h * 0xbf58476d1ce4e5b9u >> 16;
}

/// The place of a state in the table: its number or NONE.
static uint32_t *find(const Search *search, const void *state) {
  size_t i = (size_t)hash(state, search->size) & search->mask;
  while (search->table[i] != NONE &&
         memcmp(search->state + search->table[i] * search->size, state, search->size) != 0)
    i = (i + 1) & search->mask;
  return &search->table[i];
}

/// Doubles the table. It is at most half full.
static CelStatus grow_table(Search *search) {
  const size_t entries = search->mask > 0 ? 2 * (search->mask + 1) : 4096;
  uint32_t *table = NULL;
  CELI_TRY(celi_alloc(&table, entries, sizeof *table, "the table of states"));
  free(search->table);
  search->table = table, search->mask = entries - 1;
  memset(table, 0xff, entries * sizeof *table);
  for (int64_t s = 0; s < search->states; s++)
    *find(search, search->state + (size_t)s * search->size) = (uint32_t)s;
  return CEL_OK;
}

static CelStatus visit(Search *search, const void *state) {
  if (2 * (size_t)search->states >= search->mask) CELI_TRY(grow_table(search));
  uint32_t *number = find(search, state);
  if (*number != NONE) return CEL_OK;
  if (search->states >= (int64_t)NONE)
    return cel_fail(CEL_E_RANGE, "2^32 states or more can be reached; choose smaller parameters");
  if (search->states == search->room) {
    const int64_t room = search->room + search->room / 2;
    CELI_TRY(celi_resize(&search->state, (size_t)room, search->size, "states"));
    search->room = room;
  }
  memcpy(search->state + (size_t)search->states * search->size, state, search->size);
  *number = (uint32_t)search->states++;
  return CEL_OK;
}

static CelStatus explore(Search *search) {
  uint8_t first[CELI_EXPLORE_BYTES] = {0};
  search->family->start(search->what, first);
  CELI_TRY(celi_alloc(&search->state, FIRST_ROOM, search->size, "states"));
  search->room = FIRST_ROOM;
  CELI_TRY(visit(search, first));
  for (int64_t s = 0; s < search->states; s++) {
    CELI_TRY(moves_of(search, s));
    for (int64_t t = 0; t < search->moves.n; t++)
      CELI_TRY(visit(search, search->moves.next + (size_t)t * search->size));
  }
  return CEL_OK;
}

// ---- building

static CelStatus add_labels(CelMdpBuilder *builder, const Search *search) {
  uint8_t *in = NULL;
  CELI_TRY(celi_alloc(&in, (size_t)search->states, 1, "labels"));
  CelStatus status = CEL_OK;
  for (int label = 0; search->family->labels[label] && status == CEL_OK; label++) {
    for (int64_t s = 0; s < search->states; s++)
      in[s] = search->family->has(search->what, search->state + (size_t)s * search->size, label);
    status = cel_mdp_label(builder, search->family->labels[label], in);
  }
  free(in);
  return status;
}

static CelStatus fill(CelMdpBuilder *builder, const void *what) {
  Search *search = (Search *)what;
  const CeliMoves *moves = &search->moves;
  for (int64_t s = 0; s < search->states; s++) {
    CELI_TRY(moves_of(search, s));
    for (int64_t a = 0; a < moves->choices; a++) {
      CELI_TRY(cel_mdp_pair(builder, s, a, moves->reward[a]));
      for (int64_t t = moves->first[a]; t < moves->first[a + 1]; t++) {
        const uint32_t next = *find(search, moves->next + (size_t)t * search->size);
        CELI_TRY(cel_mdp_transition(builder, next, moves->p[t], 0, false));
      }
    }
  }
  CELI_TRY(add_labels(builder, search));
  return cel_mdp_start(builder, 0, 1);
}

CelStatus celi_mdp_explore(CelMdp **out, const CeliMdpCommon *common, const CeliExplore *family,
                           const void *what) {
  CEL_ASSERT(family->size <= CELI_EXPLORE_BYTES);
  Search search = {
      .family = family, .what = what, .size = family->size, .moves = {.size = family->size}};
  CelStatus status = explore(&search);
  if (status == CEL_OK)
    status = celi_mdp_make(out, family->name, search.states, common, fill, &search);
  free(search.state), free(search.table);
  free(search.moves.reward), free(search.moves.first), free(search.moves.p);
  free(search.moves.next);
  return status;
}
