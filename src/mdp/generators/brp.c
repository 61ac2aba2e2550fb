/// The bounded retransmission protocol. A sender transfers a file of N frames, with an alternating
/// bit. A frame is lost with probability 0.02 and an acknowledgment with 0.01. After a loss, the
/// sender transmits again, at most MAX times for each frame, and then gives up.
///
///     reward   1 per frame that is sent, again or not
///     labels   error: the sender gave up; uncertain: it gave up at the last frame, so it does not
///              know whether the file arrived; success: it has reported success
///
/// With q = 1 - 0.98 0.99, the sender gives up with probability 1 - (1 - q^(MAX+1))^N.
/// Source: Helmink, Sellink, Vaandrager, "Proof-checking a data link protocol", 1994; D'Argenio,
/// Jeannet, Jensen, Larsen, "Reachability analysis of probabilistic systems by successive
/// refinements", 2001.
#include "mdp/generators/explore.h"

typedef struct Brp {
  CeliMdpCommon common;
  int64_t frames, retries;
} Brp;

#define GAMMA "0.999"
#define AT(member) offsetof(Brp, member)
// clang-format off
static const CelField fields[] = {
#include "mdp/generators/common.inc"
    {.name = "frames", .type = CEL_FIELD_INT, .offset = AT(frames), .def = "16", .min = 2,
     .max = 60000,
     .doc = "frames N of the file"},
    {.name = "retries", .type = CEL_FIELD_INT, .offset = AT(retries), .def = "2", .min = 1,
     .max = 250,
     .doc = "MAX, how often a frame is sent again"},
    {0},
};
// clang-format on
#undef AT

enum { IDLE, NEXT_FRAME, WAIT, AGAIN, FRAME_DONE, ERROR, SYNC }; // sender
enum { NO_REPORT, NOT_OK, DO_NOT_KNOW, OK };                     // what it reports
enum { NEW_FILE, FIRST, RECEIVED, REPORTED, LISTEN, RESYNC };    // receiver
enum { RECEIVER_FIRST = 1, RECEIVER_NEXT, RECEIVER_OK, RECEIVER_NOT_OK };
enum { FREE, SENT, LOST }; // channels

typedef struct State {
  uint16_t frame;
  uint8_t sender, report, retry, bit, out_bit, out_first, out_last;
  uint8_t receiver, told, in_first, in_last, in_bit, wanted_bit, received;
  uint8_t started, forward, back; ///< started: the file was handed over
} State;

static void start(const void *what, void *state) {
  (void)what, (void)state;
}

/// The sender puts a frame on the forward channel.
static void send_frame(const Brp *b, State next, CeliMoves *out) {
  next.out_first = next.frame == 1, next.out_last = next.frame == b->frames;
  next.out_bit = next.bit;
  next.retry = next.sender == NEXT_FRAME ? 0 : (uint8_t)(next.retry + 1);
  next.sender = WAIT;
  celi_moves_choice(out, 1);
  next.forward = SENT;
  celi_moves_to(out, 0.98, &next);
  next.forward = LOST;
  celi_moves_to(out, 0.02, &next);
}

/// The receiver acknowledges a frame.
static void send_back(State next, CeliMoves *out) {
  if (next.receiver == REPORTED) next.wanted_bit = !next.wanted_bit;
  next.receiver = LISTEN;
  celi_moves_choice(out, 0);
  next.back = SENT;
  celi_moves_to(out, 0.99, &next);
  next.back = LOST;
  celi_moves_to(out, 0.01, &next);
}

/// Sender and receiver meet after an error.
static void synchronize(State next, CeliMoves *out) {
  if (next.receiver == LISTEN) {
    next.receiver = RESYNC;
    if (!next.out_last) next.told = RECEIVER_NOT_OK;
  } else if (next.receiver == RESYNC) {
    next.receiver = NEW_FILE, next.told = 0;
  } else if (next.receiver != NEW_FILE) {
    return;
  }
  if (next.sender == SYNC) next.bit = 0;
  next.sender = next.sender == ERROR ? SYNC : IDLE;
  celi_moves_step(out, 0, &next);
}

static void move_sender(const Brp *b, const State *s, CeliMoves *out) {
  State next = *s;
  switch (s->sender) {
  case IDLE:
    if (s->started) return;
    next.sender = NEXT_FRAME, next.frame = 1, next.report = NO_REPORT, next.started = 1;
    break;
  case NEXT_FRAME:
    if (s->forward == FREE) send_frame(b, *s, out);
    return;
  case WAIT:
    if (s->back == SENT)
      next.sender = FRAME_DONE, next.bit = !s->bit, next.back = FREE;
    else if (s->forward == LOST)
      next.sender = AGAIN, next.forward = FREE;
    else if (s->back == LOST)
      next.sender = AGAIN, next.back = FREE;
    else
      return;
    break;
  case AGAIN:
    if (s->retry < b->retries) {
      if (s->forward == FREE) send_frame(b, *s, out);
      return;
    }
    next.sender = ERROR, next.report = s->frame < b->frames ? NOT_OK : DO_NOT_KNOW;
    break;
  case FRAME_DONE:
    next.sender = s->frame < b->frames ? NEXT_FRAME : IDLE;
    if (s->frame < b->frames)
      next.frame++;
    else
      next.report = OK;
    break;
  default: synchronize(*s, out); return;
  }
  celi_moves_step(out, 0, &next);
}

static void move_receiver(const State *s, CeliMoves *out) {
  State next = *s;
  if ((s->receiver == NEW_FILE || s->receiver == LISTEN) && s->forward == SENT) {
    next.receiver = s->receiver == NEW_FILE ? FIRST : RECEIVED;
    next.in_first = s->out_first, next.in_last = s->out_last, next.in_bit = s->out_bit;
    next.received = s->started, next.forward = FREE;
  } else if (s->receiver == FIRST) {
    next.receiver = RECEIVED, next.wanted_bit = s->in_bit;
  } else if (s->receiver == RECEIVED && s->wanted_bit == s->in_bit) {
    next.receiver = REPORTED;
    next.told = s->in_last ? RECEIVER_OK : s->in_first ? RECEIVER_FIRST : RECEIVER_NEXT;
  } else if ((s->receiver == RECEIVED || s->receiver == REPORTED) && s->back == FREE) {
    send_back(*s, out);
    return;
  } else {
    return;
  }
  celi_moves_step(out, 0, &next);
}

static void moves(const void *what, const void *state, CeliMoves *out) {
  move_sender(what, state, out);
  move_receiver(state, out);
}

static bool has(const void *what, const void *state, int label) {
  (void)what;
  const State *s = state;
  return label == 2   ? s->report == OK
         : label == 1 ? s->sender == ERROR && s->report == DO_NOT_KNOW
                      : s->sender == ERROR;
}

static CelStatus make(CelMdp **out, const void *config) {
  static const char *const labels[] = {"error", "uncertain", "success", NULL};
  static const CeliExplore family = {"brp", sizeof(State), start, moves, labels, has};
  return celi_mdp_explore(out, config, &family, config);
}

const CelMdpGenerator celi_mdp_brp = {
    .name = "brp",
    .doc = "a file over channels that lose frames, with a bounded number of retries; has labels",
    .fields = fields,
    .config_size = sizeof(Brp),
    .make = make,
    .max_episode_steps = 0,
};
