/// Writes UMB, the unified Markov binary format (umb.c). index.json is the first file of the
/// archive.
///
/// A terminal state gets a self-loop, because other programs expect a choice in every state.
#include "base/base.h"
#include "celsius/version.h"
#include "mdp/formats/explicit.h"
#include "mdp/formats/tar.h"
#include "mdp/formats/umb.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 4096 };

typedef struct Writer {
  const CelMdp *mdp;
  CeliExplicitNames names;
  CeliPacker *packer;
  int64_t terminals;
  char (*label_id)[CEL_TEXT_MAX], (*reward_id)[CEL_TEXT_MAX];
  uint64_t word[WORDS]; ///< an array in pieces
  size_t n;
  uint64_t bytes; ///< of the current file
} Writer;

static bool is_terminal(const CelMdp *mdp, int64_t s) {
  return mdp->pair[s + 1] == mdp->pair[s];
}

// ---- identifiers

/// Makes an identifier of a-z, 0-9, _ and - from a name. `i` makes it unique if another name of the
/// list gives the same.
static void make_id(char (*id)[CEL_TEXT_MAX], int64_t i, const char *name, const char *what) {
  static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
  bool plain = true;
  snprintf(id[i], CEL_TEXT_MAX, "%s", name);
  for (char *c = id[i]; *c; c++) plain &= strchr(allowed, *c) != NULL;
  for (int64_t k = 0; k < i && plain; k++) plain = strcmp(id[k], id[i]) != 0;
  if (!plain) snprintf(id[i], CEL_TEXT_MAX, "%s_%" PRId64, what, i);
  for (int64_t k = 0; k < i; k++) {
    if (strcmp(id[k], id[i]) != 0) continue;
    snprintf(id[i], CEL_TEXT_MAX, "%s-%" PRId64 "-x", what, i); // a name looked like label_3
    k = -1;
    id[i][0]++;
  }
}

static CelStatus make_ids(Writer *writer) {
  const CeliExplicitNames *names = &writer->names;
  CELI_TRY(celi_calloc(&writer->label_id, (size_t)names->labels, CEL_TEXT_MAX, "identifiers"));
  CELI_TRY(celi_calloc(&writer->reward_id, (size_t)names->rewards, CEL_TEXT_MAX, "identifiers"));
  for (int64_t i = 0; i < names->labels; i++)
    make_id(writer->label_id, i, names->label[i].name, "label");
  for (int64_t i = 0; i < names->rewards; i++)
    make_id(writer->reward_id, i, names->reward[i].name, "reward");
  return CEL_OK;
}

// ---- index.json

static void add_type(cJSON *object, const char *key, const char *type, int bits) {
  cJSON *json = cJSON_AddObjectToObject(object, key);
  cJSON_AddStringToObject(json, "type", type);
  cJSON_AddNumberToObject(json, "size", bits);
}

static cJSON *add_annotation(cJSON *group, const char *id, const char *name) {
  cJSON *annotation = cJSON_AddObjectToObject(group, id);
  cJSON_AddStringToObject(annotation, "alias", name);
  return annotation;
}

static void add_item(cJSON *array, const char *text) {
  cJSON_AddItemToArray(array, cJSON_CreateString(text));
}

static void add_annotations(const Writer *writer, cJSON *index) {
  const CeliExplicitNames *names = &writer->names;
  cJSON *annotations = cJSON_AddObjectToObject(index, "annotations");
  cJSON *aps = cJSON_AddObjectToObject(annotations, "aps");
  cJSON *rewards = cJSON_AddObjectToObject(annotations, "rewards");
  for (int64_t i = 0; i < names->labels; i++) {
    cJSON *one = add_annotation(aps, writer->label_id[i], names->label[i].name);
    add_item(cJSON_AddArrayToObject(one, "applies-to"), "states");
    add_type(one, "type", "bool", 1);
  }
  for (int64_t i = 0; i < names->rewards; i++) {
    const CelMdpReward *model = &names->reward[i];
    cJSON *one = add_annotation(rewards, writer->reward_id[i], model->name);
    cJSON *list = cJSON_AddArrayToObject(one, "applies-to");
    if (model->state) add_item(list, "states");
    if (model->pair || (!model->state && !model->transition)) add_item(list, "choices");
    if (model->transition) add_item(list, "branches");
    add_type(one, "type", "double", 64);
  }
}

/// The largest action number plus 1, or 0 if actions have no numbers of their own.
static double count_actions(const CelMdp *mdp) {
  int32_t most = -1;
  for (int64_t p = 0; mdp->action && p < mdp->pairs; p++)
    most = mdp->action[p] > most ? mdp->action[p] : most;
  return (double)most + 1.0;
}

/// The index as text. NULL if there is not enough memory.
static char *make_index(const Writer *writer) {
  const CelMdp *mdp = writer->mdp;
  int64_t initial = 0;
  for (int64_t s = 0; s < mdp->states; s++) initial += mdp->start[s] > 0.0;
  cJSON *index = cJSON_CreateObject();
  cJSON_AddNumberToObject(index, "format-version", 1);
  cJSON_AddNumberToObject(index, "format-revision", 0);
  cJSON *model = cJSON_AddObjectToObject(index, "model-data");
  if (mdp->name[0]) cJSON_AddStringToObject(model, "name", mdp->name);
  cJSON *file = cJSON_AddObjectToObject(index, "file-data");
  cJSON_AddStringToObject(file, "tool", "Celsius");
  cJSON_AddStringToObject(file, "tool-version", CEL_VERSION);
  cJSON_AddNumberToObject(cJSON_AddObjectToObject(file, "parameters"), "discount", mdp->discount);
  cJSON *system = cJSON_AddObjectToObject(index, "transition-system");
  cJSON_AddStringToObject(system, "time", "discrete");
  cJSON_AddNumberToObject(system, "#players", 1);
  cJSON_AddNumberToObject(system, "#states", (double)mdp->states);
  cJSON_AddNumberToObject(system, "#initial-states", (double)initial);
  cJSON_AddNumberToObject(system, "#choices", (double)(mdp->pairs + writer->terminals));
  cJSON_AddNumberToObject(system, "#choice-actions", count_actions(mdp));
  cJSON_AddNumberToObject(system, "#branches", (double)(mdp->transitions + writer->terminals));
  cJSON_AddNumberToObject(system, "#branch-actions", 0);
  cJSON_AddNumberToObject(system, "#observations", 0);
  add_type(system, "branch-probability-type", "double", 64);
  add_annotations(writer, index);
  char *text = cJSON_Print(index);
  cJSON_Delete(index);
  return text;
}

// ---- files of the archive

static void flush(Writer *writer) {
  celi_packer_put(writer->packer, writer->word, writer->n * sizeof *writer->word);
  writer->n = 0;
}

static void begin(Writer *writer, const char *name, uint64_t size) {
  uint8_t block[CELI_TAR_BLOCK];
  celi_tar_header(block, name, size);
  celi_packer_put(writer->packer, block, sizeof block);
  writer->bytes = size;
}

/// Pads the file to whole blocks.
static void end(Writer *writer) {
  static const uint8_t zeros[CELI_TAR_BLOCK];
  flush(writer);
  celi_packer_put(writer->packer, zeros,
                  (size_t)(CELI_TAR_BLOCK - writer->bytes % CELI_TAR_BLOCK) % CELI_TAR_BLOCK);
}

static void put(Writer *writer, uint64_t x) {
  if (writer->n == WORDS) flush(writer);
  writer->word[writer->n++] = x;
}

static void put_double(Writer *writer, double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  put(writer, bits);
}

static void write_mappings(Writer *writer) {
  const CelMdp *mdp = writer->mdp;
  uint64_t extra = 0, branch = 0;
  begin(writer, "state-to-choices.bin", 8 * ((uint64_t)mdp->states + 1));
  for (int64_t s = 0; s <= mdp->states; s++) {
    put(writer, (uint64_t)mdp->pair[s] + extra);
    extra += s < mdp->states && is_terminal(mdp, s);
  }
  end(writer);
  begin(writer, "choice-to-branches.bin", 8 * ((uint64_t)(mdp->pairs + writer->terminals) + 1));
  for (int64_t s = 0; s < mdp->states; s++) {
    if (is_terminal(mdp, s)) put(writer, branch++);
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      put(writer, branch);
      branch += (uint64_t)(mdp->row[p + 1] - mdp->row[p]);
    }
  }
  put(writer, branch);
  end(writer);
}

/// Writes one number a branch. x NULL: the next state; the number of a self-loop is `loop`.
static void write_branches(Writer *writer, const char *name, const double *x, double loop) {
  const CelMdp *mdp = writer->mdp;
  begin(writer, name, 8 * (uint64_t)(mdp->transitions + writer->terminals));
  for (int64_t s = 0; s < mdp->states; s++) {
    if (is_terminal(mdp, s) && x) put_double(writer, loop);
    if (is_terminal(mdp, s) && !x) put(writer, (uint64_t)s);
    if (is_terminal(mdp, s)) continue;
    for (int64_t t = mdp->row[mdp->pair[s]]; t < mdp->row[mdp->pair[s + 1]]; t++) {
      if (x)
        put_double(writer, x[t]);
      else
        put(writer, (uint64_t)cel_mdp_next(mdp, t));
    }
  }
  end(writer);
}

/// Writes one number a choice. x NULL: zeros.
static void write_choices(Writer *writer, const char *name, const double *x) {
  const CelMdp *mdp = writer->mdp;
  begin(writer, name, 8 * (uint64_t)(mdp->pairs + writer->terminals));
  for (int64_t s = 0; s < mdp->states; s++) {
    if (is_terminal(mdp, s)) put_double(writer, 0.0);
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) put_double(writer, x ? x[p] : 0.0);
  }
  end(writer);
}

/// Terminal states pay nothing.
static void write_states(Writer *writer, const char *name, const double *x) {
  const CelMdp *mdp = writer->mdp;
  begin(writer, name, 8 * (uint64_t)mdp->states);
  for (int64_t s = 0; s < mdp->states; s++) put_double(writer, is_terminal(mdp, s) ? 0.0 : x[s]);
  end(writer);
}

/// Writes a set of states, in or (NULL) the initial ones, as bits.
static void write_set(Writer *writer, const char *name, const uint8_t *in) {
  const CelMdp *mdp = writer->mdp;
  uint64_t word = 0;
  begin(writer, name, 8 * (((uint64_t)mdp->states + 63) / 64));
  for (int64_t s = 0; s < mdp->states; s++) {
    const bool set = in ? in[s] : mdp->start[s] > 0.0;
    word |= (uint64_t)set << (s % 64);
    if (s % 64 != 63 && s + 1 < mdp->states) continue;
    put(writer, word);
    word = 0;
  }
  end(writer);
}

/// Writes the action numbers, two to a word.
static void write_actions(Writer *writer) {
  const CelMdp *mdp = writer->mdp;
  const uint64_t n = (uint64_t)(mdp->pairs + writer->terminals);
  uint64_t word = 0, i = 0;
  begin(writer, "actions/choices/values.bin", 4 * n);
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t count = mdp->pair[s + 1] - mdp->pair[s];
    for (int64_t k = 0; k < (count > 0 ? count : 1); k++, i++) {
      const uint64_t action = count > 0 ? (uint64_t)mdp->action[mdp->pair[s] + k] : 0;
      word |= action << (32 * (i % 2));
      if (i % 2 == 0) continue;
      put(writer, word);
      word = 0;
    }
  }
  flush(writer);
  if (n % 2) celi_packer_put(writer->packer, &word, 4);
  end(writer);
}

static void write_reward(Writer *writer, const CelMdpReward *model, const char *id) {
  char name[CELI_TAR_NAME];
  if (model->state) {
    snprintf(name, sizeof name, "annotations/rewards/%s/states/values.bin", id);
    write_states(writer, name, model->state);
  }
  if (model->pair || (!model->state && !model->transition)) {
    snprintf(name, sizeof name, "annotations/rewards/%s/choices/values.bin", id);
    write_choices(writer, name, model->pair);
  }
  if (model->transition) {
    snprintf(name, sizeof name, "annotations/rewards/%s/branches/values.bin", id);
    write_branches(writer, name, model->transition, 0.0);
  }
}

static CelStatus write_all(Writer *writer) {
  static const uint8_t zeros[2 * CELI_TAR_BLOCK];
  const CeliExplicitNames *names = &writer->names;
  char name[CELI_TAR_NAME];
  char *index = make_index(writer);
  if (!index) return cel_fail(CEL_E_MEMORY, "not enough memory for index.json");
  begin(writer, "index.json", strlen(index));
  celi_packer_put(writer->packer, index, strlen(index));
  end(writer);
  cJSON_free(index);
  write_mappings(writer);
  write_branches(writer, "branch-to-target.bin", NULL, 0.0);
  write_branches(writer, "branch-to-probability.bin", writer->mdp->probability, 1.0);
  write_set(writer, "state-is-initial.bin", NULL);
  if (writer->mdp->action) write_actions(writer);
  for (int64_t i = 0; i < names->labels; i++) {
    snprintf(name, sizeof name, "annotations/aps/%s/states/values.bin", writer->label_id[i]);
    write_set(writer, name, names->label[i].in);
  }
  for (int64_t i = 0; i < names->rewards; i++)
    write_reward(writer, &names->reward[i], writer->reward_id[i]);
  celi_packer_put(writer->packer, zeros, sizeof zeros);
  celi_packer_finish(writer->packer);
  return CEL_OK;
}

CelStatus celi_mdp_emit_umb(CeliOut *out, const CelMdp *mdp, CeliPacking packing) {
  Writer *writer;
  CELI_TRY(celi_explicit_check(mdp, "UMB files"));
  CELI_TRY(celi_calloc(&writer, 1, sizeof *writer, "a UMB file"));
  writer->mdp = mdp;
  for (int64_t s = 0; s < mdp->states; s++) writer->terminals += is_terminal(mdp, s);
  CelStatus status = celi_explicit_names(mdp, &writer->names);
  if (status == CEL_OK) status = make_ids(writer);
  if (status == CEL_OK) status = celi_packer_create(&writer->packer, packing, out);
  if (status == CEL_OK) status = write_all(writer);
  celi_packer_destroy(writer->packer);
  celi_explicit_names_free(&writer->names);
  free(writer->label_id);
  free(writer->reward_id);
  free(writer);
  return status == CEL_OK ? out->status : status;
}
