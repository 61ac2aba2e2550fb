/// The transition dictionary of Gymnasium's toy-text environments as JSON (docs/files.md):
///
///     {"name": "FrozenLake-v1", "discount": 0.99, "start": [1, 0, ...],
///      "P": {"0": {"0": [[p, s', r, done], ...], "1": ...}, "1": ...}}
///
/// `P[s][a]` lists transitions: probability, next state, reward, and whether the episode ends. Only
/// P is required, and it may be the whole file. A state `{}` is terminal. States and actions may
/// come in any order. The text is parsed in one pass without a tree. Then the rows are sorted and
/// built.
#include "base/base.h"
#include "mdp/formats/formats.h"
#include "mdp/formats/text.h"
#include "mdp/model.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/// A state and action of P. Its transitions are n entries from `first` on.
typedef struct Block {
  int64_t state, action, first, line;
  int64_t n;
} Block;

/// A key of P.
typedef struct State {
  int64_t number, line;
} State;

typedef struct Reader {
  CeliScan scan;
  State *state;
  int64_t states, state_capacity;
  Block *block;
  int64_t blocks, block_capacity;
  CeliEntry *entry;
  int64_t entries, entry_capacity;
  Block farthest; ///< where the largest next state occurs; `first` is that state
  double *start;
  int64_t starts, start_capacity, start_line;
  double discount;
  int64_t horizon;
  char name[CEL_TEXT_MAX];
  bool has_p, has_start, has_discount, has_horizon, has_name;
} Reader;

// ---- JSON

/// The next character that is not blank. 0 at the end.
static char peek(CeliScan *scan) {
  celi_scan_blank(scan, 0);
  return scan->at < scan->end ? *scan->at : 0;
}

static CelStatus fail_found(CeliScan *scan, const char *expected) {
  const char c = peek(scan);
  if (scan->at == scan->end) {
    return celi_scan_fail(scan, scan->line, "the file ends where %s should be; it may be cut short",
                          expected);
  }
  if (c < ' ' || c > '~') {
    return celi_scan_fail(scan, scan->line, "found byte 0x%02x where %s should be",
                          (unsigned char)c, expected);
  }
  return celi_scan_fail(scan, scan->line, "found '%c' where %s should be", c, expected);
}

static CelStatus expect(CeliScan *scan, char c, const char *what) {
  if (peek(scan) != c) return fail_found(scan, what);
  scan->at++;
  return CEL_OK;
}

/// Moves to the next member of an object or element of a list. *more is false after the last one.
static CelStatus step(CeliScan *scan, char close, bool first, bool *more) {
  const char c = peek(scan);
  *more = c != close;
  if (!*more) {
    scan->at++;
    return CEL_OK;
  }
  if (first) return CEL_OK;
  if (c != ',') return fail_found(scan, close == '}' ? "',' or '}'" : "',' or ']'");
  scan->at++;
  return peek(scan) == close ? fail_found(scan, "another element after the ','") : CEL_OK;
}

/// The text between the quotes, with escapes unchanged.
static CelStatus read_string(CeliScan *scan, CeliWord *out) {
  CELI_TRY(expect(scan, '"', "a text in quotes"));
  *out = (CeliWord){.text = scan->at, .line = scan->line};
  for (; scan->at < scan->end && *scan->at != '"' && *scan->at != '\n'; scan->at++) {
    if (*scan->at == '\\' && scan->at + 1 < scan->end && scan->at[1] != '\n') scan->at++;
  }
  out->n = (size_t)(scan->at - out->text);
  if (scan->at < scan->end && *scan->at == '"') {
    scan->at++;
    return CEL_OK;
  }
  return celi_scan_fail(scan, out->line, "a string has no closing quote");
}

/// The text of a number, true, false or null.
static CelStatus read_scalar(CeliScan *scan, CeliWord *out) {
  peek(scan);
  *out = (CeliWord){.text = scan->at, .line = scan->line};
  while (scan->at < scan->end && !strchr(",:[]{}\" \t\r\n", *scan->at)) scan->at++;
  out->n = (size_t)(scan->at - out->text);
  return out->n > 0 ? CEL_OK : fail_found(scan, "a number");
}

static CelStatus read_double(CeliScan *scan, const char *what, double *out) {
  CeliWord word;
  CELI_TRY(read_scalar(scan, &word));
  return celi_scan_number(scan, word, what, out);
}

static CelStatus read_index(CeliScan *scan, const char *what, int64_t *out) {
  CeliWord word;
  CELI_TRY(read_scalar(scan, &word));
  return celi_scan_index(scan, word, what, INT64_MAX, out);
}

// ---- P

static CelStatus read_done(CeliScan *scan, bool *out) {
  CeliWord word;
  CELI_TRY(read_scalar(scan, &word));
  *out = celi_word_is(word, "true") || celi_word_is(word, "1");
  if (*out || celi_word_is(word, "false") || celi_word_is(word, "0")) return CEL_OK;
  return celi_scan_fail(scan, word.line, "\"done\" is %.*s; it must be true or false",
                        CELI_WORD(word));
}

/// [p, s', r, done]
static CelStatus read_transition(Reader *reader, const Block *block) {
  CeliScan *scan = &reader->scan;
  CeliEntry entry;
  CeliWord word;
  CELI_TRY(expect(scan, '[', "'[' of [probability, next state, reward, done]"));
  CELI_TRY(read_scalar(scan, &word));
  CELI_TRY(celi_scan_probability(scan, word, "probability", &entry.probability));
  CELI_TRY(expect(scan, ',', "',' and the next state"));
  CELI_TRY(read_index(scan, "next state", &entry.next));
  CELI_TRY(expect(scan, ',', "',' and the reward"));
  CELI_TRY(read_double(scan, "reward", &entry.reward));
  CELI_TRY(expect(scan, ',', "',' and true or false for the end of the episode"));
  CELI_TRY(read_done(scan, &entry.ends));
  CELI_TRY(expect(scan, ']', "']' after probability, next state, reward and done"));
  if (entry.next > reader->farthest.first) {
    reader->farthest = *block;
    reader->farthest.first = entry.next;
    reader->farthest.line = word.line;
  }
  CELI_TRY(celi_grow(&reader->entry, &reader->entry_capacity, reader->entries + 1, sizeof entry,
                     "transitions"));
  reader->entry[reader->entries++] = entry;
  return CEL_OK;
}

/// [transition, ...]
static CelStatus read_row(Reader *reader, int64_t state, int64_t action, int64_t line) {
  bool more;
  Block block = {.state = state, .action = action, .first = reader->entries, .line = line};
  CELI_TRY(expect(&reader->scan, '[', "'[' of a list of transitions"));
  for (bool first = true;; first = false) {
    CELI_TRY(step(&reader->scan, ']', first, &more));
    if (!more) break;
    CELI_TRY(read_transition(reader, &block));
  }
  block.n = reader->entries - block.first;
  if (block.n == 0) {
    return celi_scan_fail(
        &reader->scan, line,
        "the list of transitions is empty; add a transition, or leave the action out");
  }
  CELI_TRY(celi_grow(&reader->block, &reader->block_capacity, reader->blocks + 1, sizeof block,
                     "state-action pairs"));
  reader->block[reader->blocks++] = block;
  return CEL_OK;
}

/// "KEY":
static CelStatus read_key(CeliScan *scan, CeliWord *key) {
  CELI_TRY(read_string(scan, key));
  return expect(scan, ':', "':' behind a key");
}

static CelStatus read_action(Reader *reader, int64_t state) {
  CeliWord key;
  int64_t action;
  CELI_TRY(read_key(&reader->scan, &key));
  CELI_TRY(celi_scan_index(&reader->scan, key, "action", INT32_MAX, &action));
  reader->scan.action = action;
  CELI_TRY(read_row(reader, state, action, key.line));
  reader->scan.action = -1;
  return CEL_OK;
}

/// {"ACTION": row, ...}
static CelStatus read_state(Reader *reader, CeliWord key) {
  bool more;
  State state = {.line = key.line};
  CELI_TRY(celi_scan_index(&reader->scan, key, "state", INT64_MAX, &state.number));
  CELI_TRY(celi_grow(&reader->state, &reader->state_capacity, reader->states + 1, sizeof state,
                     "states"));
  reader->state[reader->states++] = state;
  reader->scan.state = state.number;
  CELI_TRY(expect(&reader->scan, '{', "'{' of a state's actions"));
  for (bool first = true;; first = false) {
    CELI_TRY(step(&reader->scan, '}', first, &more));
    if (!more) break;
    CELI_TRY(read_action(reader, state.number));
  }
  reader->scan.state = -1;
  return CEL_OK;
}

static CelStatus read_p(Reader *reader) {
  bool more;
  CELI_TRY(expect(&reader->scan, '{', "'{' of the transition dictionary"));
  for (bool first = true;; first = false) {
    CeliWord key;
    CELI_TRY(step(&reader->scan, '}', first, &more));
    if (!more) return CEL_OK;
    CELI_TRY(read_key(&reader->scan, &key));
    CELI_TRY(read_state(reader, key));
  }
}

// ---- other keys

static CelStatus read_start(Reader *reader) {
  CeliScan *scan = &reader->scan;
  bool more;
  peek(scan);
  reader->start_line = scan->line;
  CELI_TRY(expect(scan, '[', "'[' of the initial distribution"));
  for (bool first = true;; first = false) {
    CeliWord word;
    double value;
    CELI_TRY(step(scan, ']', first, &more));
    if (!more) return CEL_OK;
    CELI_TRY(read_scalar(scan, &word));
    CELI_TRY(celi_scan_probability(scan, word, "initial probability", &value));
    CELI_TRY(celi_grow(&reader->start, &reader->start_capacity, reader->starts + 1, sizeof value,
                       "the initial distribution"));
    reader->start[reader->starts++] = value;
  }
}

static CelStatus read_name(Reader *reader) {
  CeliWord word;
  CELI_TRY(read_string(&reader->scan, &word));
  cJSON *text = cJSON_ParseWithLength(word.text - 1, word.n + 2);
  const char *value = cJSON_GetStringValue(text);
  const bool fits = value && strlen(value) < sizeof reader->name && celi_text_plain(value);
  if (fits) strcpy(reader->name, value);
  cJSON_Delete(text);
  if (fits) return CEL_OK;
  return celi_scan_fail(&reader->scan, word.line,
                        "\"name\" must be printable text of at most %zu bytes",
                        sizeof reader->name - 1);
}

static CelStatus fail_key(const Reader *reader, CeliWord key) {
  static const char *const names[] = {"P", "start", "discount", "horizon", "name"};
  char text[CEL_TEXT_MAX] = "";
  CeliNearest nearest = {.wanted = text};
  if (key.n < sizeof text) memcpy(text, key.text, key.n);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) celi_nearest_try(&nearest, names[i]);
  return celi_scan_fail(&reader->scan, key.line,
                        "\"%.*s\" is not a known key%s%s%s; use P, start, discount, horizon, name "
                        "or the number of a state",
                        CELI_WORD(key), nearest.best ? " (\"" : "",
                        nearest.best ? nearest.best : "", nearest.best ? "\"?)" : "");
}

static CelStatus once(const Reader *reader, CeliWord key, bool *seen) {
  if (*seen)
    return celi_scan_fail(&reader->scan, key.line, "\"%.*s\" appears twice", CELI_WORD(key));
  *seen = true;
  return CEL_OK;
}

static CelStatus read_member(Reader *reader, CeliWord key) {
  int64_t number;
  if (celi_word_index(key, &number) != CELI_NUMBER_JUNK) {
    if (reader->has_p) return fail_key(reader, key);
    return read_state(reader, key);
  }
  if (celi_word_is(key, "P") && (reader->has_p || reader->states == 0)) {
    CELI_TRY(once(reader, key, &reader->has_p));
    return read_p(reader);
  }
  if (celi_word_is(key, "start")) {
    CELI_TRY(once(reader, key, &reader->has_start));
    return read_start(reader);
  }
  if (celi_word_is(key, "discount")) {
    CELI_TRY(once(reader, key, &reader->has_discount));
    return read_double(&reader->scan, "\"discount\"", &reader->discount);
  }
  if (celi_word_is(key, "horizon")) {
    CELI_TRY(once(reader, key, &reader->has_horizon));
    return read_index(&reader->scan, "\"horizon\"", &reader->horizon);
  }
  if (celi_word_is(key, "name")) {
    CELI_TRY(once(reader, key, &reader->has_name));
    return read_name(reader);
  }
  return fail_key(reader, key);
}

static CelStatus read_text(Reader *reader) {
  CeliScan *scan = &reader->scan;
  CELI_TRY(expect(scan, '{', "'{' of a JSON object"));
  for (bool first = true, more;; first = false) {
    CeliWord key;
    CELI_TRY(step(scan, '}', first, &more));
    if (!more) break;
    CELI_TRY(read_key(scan, &key));
    CELI_TRY(read_member(reader, key));
  }
  return peek(scan) == 0 && scan->at == scan->end ? CEL_OK
                                                  : fail_found(scan, "the end of the file");
}

// ---- building the MDP

/// Checks that the keys of P are 0, 1, ..., n - 1, each once.
static CelStatus check_states(const Reader *reader) {
  const int64_t n = reader->states;
  uint8_t *seen;
  CelStatus status = CEL_OK;
  if (n == 0) return celi_scan_fail(&reader->scan, 1, "the file has no \"P\" with states");
  CELI_TRY(celi_alloc(&seen, (size_t)n, 1, "states"));
  memset(seen, 0, (size_t)n);
  for (int64_t i = 0; i < n && status == CEL_OK; i++) {
    const State state = reader->state[i];
    if (state.number < n && !seen[state.number]) {
      seen[state.number] = 1;
    } else if (state.number < n) {
      status = celi_scan_fail(&reader->scan, state.line, "state %" PRId64 " appears twice",
                              state.number);
    } else {
      status = celi_scan_fail(&reader->scan, state.line,
                              "state %" PRId64 " is out of range; with %" PRId64
                              " state%s the keys must be 0 to %" PRId64
                              ". Write a state without actions as \"S\": {}",
                              state.number, n, celi_s(n), n - 1);
    }
  }
  free(seen);
  CELI_TRY(status);
  const Block *far = &reader->farthest;
  if (far->first < n) return CEL_OK;
  return celi_scan_fail(&reader->scan, far->line,
                        "state %" PRId64 ", action %" PRId64 ": next state %" PRId64
                        " is out of range; it must be 0 to %" PRId64,
                        far->state, far->action, far->first, n - 1);
}

static int compare(const void *a, const void *b) {
  const Block *x = a, *y = b;
  if (x->state != y->state) return x->state < y->state ? -1 : 1;
  if (x->action != y->action) return x->action < y->action ? -1 : 1;
  return x->first < y->first ? -1 : x->first > y->first;
}

static CelStatus sort_blocks(Reader *reader) {
  Block *block = reader->block;
  bool sorted = true;
  for (int64_t i = 1; i < reader->blocks && sorted; i++) {
    sorted = compare(&block[i - 1], &block[i]) < 0;
  }
  if (!sorted) qsort(block, (size_t)reader->blocks, sizeof *block, compare);
  for (int64_t i = 1; i < reader->blocks; i++) {
    if (block[i - 1].state != block[i].state || block[i - 1].action != block[i].action) continue;
    return celi_scan_fail(&reader->scan, block[i].line,
                          "state %" PRId64 ", action %" PRId64 " appears twice", block[i].state,
                          block[i].action);
  }
  return CEL_OK;
}

static CelStatus fill(const Reader *reader, CelMdpBuilder *builder) {
  CELI_TRY(cel_mdp_builder_reserve(builder, reader->blocks, reader->entries));
  if (reader->has_name) {
    CELI_TRY(cel_mdp_set_name(builder, reader->name));
  } else {
    CELI_TRY(celi_name_put(builder, reader->scan.file));
  }
  for (int64_t i = 0; i < reader->blocks; i++) {
    const Block *block = &reader->block[i];
    CELI_TRY(celi_row_put(builder, &reader->scan, block->line, block->state, block->action,
                          reader->entry + block->first, block->n));
  }
  if (!reader->has_start) return CEL_OK;
  if (reader->starts == reader->states) {
    return celi_start_put(builder, &reader->scan, reader->start_line, reader->start,
                          reader->states);
  }
  return celi_scan_fail(&reader->scan, reader->start_line,
                        "\"start\" has %" PRId64 " probabilit%s, but there %s %" PRId64 " state%s",
                        reader->starts, reader->starts == 1 ? "y" : "ies",
                        reader->states == 1 ? "is" : "are", reader->states, celi_s(reader->states));
}

static CelStatus build(Reader *reader, const CelMdpLoadOptions *options, CelMdp **out) {
  double discount = reader->has_discount ? reader->discount : (double)NAN;
  CELI_TRY(check_states(reader));
  CELI_TRY(sort_blocks(reader));
  CELI_TRY(celi_load_choose(reader->scan.file, options, &discount, &reader->horizon));
  CelMdpBuilder *builder;
  CELI_TRY(cel_fail_in(cel_mdp_builder_create(&builder, reader->states, discount, reader->horizon),
                       "%s: ", reader->scan.file));
  CelStatus status = fill(reader, builder);
  if (status == CEL_OK) {
    status = cel_fail_in(cel_mdp_build(builder, out), "%s: ", reader->scan.file);
  }
  cel_mdp_builder_destroy(builder);
  return status;
}

CelStatus celi_mdp_parse_gymnasium(CelMdp **out, const char *file, const char *text, size_t size,
                                   const CelMdpLoadOptions *options) {
  Reader reader = {.scan = celi_scan(file, text, size), .farthest.first = -1};
  CelStatus status = read_text(&reader);
  if (status == CEL_OK) status = build(&reader, options, out);
  free(reader.state);
  free(reader.block);
  free(reader.entry);
  free(reader.start);
  return status;
}

static CelStatus load(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  char *text;
  size_t size;
  CELI_TRY(celi_text_read(path, &text, &size));
  const CelStatus status = celi_mdp_parse_gymnasium(out, path, text, size, options);
  free(text);
  return status;
}

// ---- writing

static void emit_row(CeliOut *out, const CelMdp *mdp, int64_t p) {
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    celi_out_format(out, t > mdp->row[p] ? ", [" : "[");
    celi_out_double(out, mdp->probability[t]);
    celi_out_format(out, ", ");
    celi_out_index(out, cel_mdp_next(mdp, t));
    celi_out_format(out, ", ");
    celi_out_double(out, mdp->reward_next ? mdp->reward_next[t] : mdp->reward[p]);
    celi_out_format(out, mdp->ends && mdp->ends[t] ? ", true]" : ", false]");
  }
}

static void emit_state(CeliOut *out, const CelMdp *mdp, int64_t s) {
  celi_out_format(out, "%s\"%" PRId64 "\": {", s > 0 ? ",\n" : "\n", s);
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    celi_out_format(out, "%s\"%" PRId64 "\": [", p > mdp->pair[s] ? ",\n  " : "",
                    cel_mdp_action(mdp, s, p));
    emit_row(out, mdp, p);
    celi_out_format(out, "]");
  }
  celi_out_format(out, "}");
}

void celi_mdp_emit_gymnasium(CeliOut *out, const CelMdp *mdp) {
  celi_out_format(out, "{");
  if (mdp->name[0]) {
    celi_out_format(out, "\"name\": ");
    celi_text_json(&out->text, mdp->name);
    celi_out_format(out, ",\n");
  }
  celi_out_format(out, "\"discount\": ");
  celi_out_double(out, mdp->discount);
  if (mdp->horizon > 0) celi_out_format(out, ",\n\"horizon\": %" PRId64, mdp->horizon);
  celi_out_format(out, ",\n\"start\": [");
  for (int64_t s = 0; s < mdp->states; s++) {
    if (s > 0) celi_out_format(out, ", ");
    celi_out_double(out, mdp->start[s]);
  }
  celi_out_format(out, "],\n\"P\": {");
  for (int64_t s = 0; s < mdp->states; s++) emit_state(out, mdp, s);
  celi_out_format(out, "\n}}\n");
}

static CelStatus save(const CelMdp *mdp, const char *path) {
  return celi_out_file(path, mdp, celi_mdp_emit_gymnasium);
}

/// True for a JSON object.
static bool sniff(const char *data, size_t size) {
  CeliScan scan = celi_scan("", data, size);
  celi_scan_blank(&scan, 0);
  return scan.at < scan.end && *scan.at == '{';
}

const CeliMdpFormat celi_mdp_format_gymnasium = {
    .info = {CEL_MDP_GYMNASIUM,
             "gymnasium",
             "transition table of Gymnasium's toy-text environments, as JSON",
             {".json"},
             {NULL}},
    .sniff = sniff,
    .load = load,
    .save = save};
