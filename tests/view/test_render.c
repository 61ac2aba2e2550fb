/// Animations and pictures: recorded states, the palette, decoded GIFs, pixels, errors.
#include "run/run_test.h"

#include "view/render.h"

#include <glob.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

// ---- an environment with known pictures: a disk that moves right by one per step, from 1 to 8

enum { LAST = 8 };

static CelStatus disc_open(CelEnvSpec *spec) {
  spec->state_size = 1;
  spec->observation = cel_space_box(1, -10, 10);
  spec->action = cel_space_box(1, -1, 1);
  return CEL_OK;
}

static CelStatus disc_reset(const CelEnvSpec *spec, double *state, void *obs, CelRng *rng) {
  (void)spec, (void)rng;
  state[0] = 1;
  *(float *)obs = 1;
  return CEL_OK;
}

static CelStatus disc_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                           void *obs, float *reward, uint8_t *terminated, CelRng *rng) {
  (void)spec, (void)actions, (void)rng;
  for (int64_t i = 0; i < n; i++) {
    states[i] += 1;
    ((float *)obs)[i] = (float)states[i];
    reward[i] = -2;
    terminated[i] = states[i] >= LAST;
  }
  return CEL_OK;
}

static const CelColor red = {0.8f, 0.2f, 0.4f, 1};

static void disc_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  (void)spec;
  cel_canvas_clear(canvas, 0, 10, 0, 10);
  cel_canvas_circle(canvas, state[0], 5, 1, red);
}

static const CelEnvType disc = {.abi = CEL_ENV_ABI,
                                .id = "Disc-v0",
                                .doc = "a disc",
                                .reward_threshold = NAN,
                                .open = disc_open,
                                .reset = disc_reset,
                                .step = disc_step,
                                .render = disc_render};

static CelEnvSpec *make_spec(const char *id) {
  CelEnvSpec *spec;
  OK(cel_env_spec_create(&spec, id, NULL, NULL));
  return spec;
}

static CelAgent *make_agent(const CelEnvSpec *spec) {
  CelSacConfig config = cel_sac_config_default();
  CelAgentOptions options = cel_agent_options_default();
  CelAgent *agent;
  config.common.net_arch = (CelIntList){2, {16, 16}};
  config.common.buffer_size = 100;
  OK(cel_agent_create(&agent, "sac", &config, &spec->observation, &spec->action, &options));
  return agent;
}

// ---- recording

static void speed_follows_the_environment(void **state) {
  (void)state;
  static const struct {
    const char *id;
    double fps;
    int stride, delay;
  } cases[] = {{"Pendulum-v1", 0, 1, 5},    // 0.05 s per step: 20 pictures per second
               {"CartPole-v1", 0, 2, 4},    // 0.02 s: every second step, 25 pictures per second
               {"Acrobot-v1", 0, 1, 5},     // 0.2 s: sped up
               {"MountainCar-v0", 0, 1, 4}, // no seconds per step
               {"FrozenLake-v1", 0, 1, 25}, // sets 4 pictures per second
               {"Taxi-v3", 20, 1, 5},        {"CartPole-v1", 50, 1, 2},
               {"CartPole-v1", 10, 5, 10},   {"Pendulum-v1", 50, 1, 2},
               {"MountainCar-v0", 10, 1, 10}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    CelEnvSpec *spec = make_spec(cases[i].id);
    const CeliPacing pacing = celi_film_pacing(spec, cases[i].fps);
    if (pacing.stride != cases[i].stride || pacing.delay != cases[i].delay)
      fail_msg("%s at %g: stride %d, delay %d", cases[i].id, cases[i].fps, (int)pacing.stride,
               pacing.delay);
    cel_env_spec_destroy(spec);
  }
}

static void film_shows_what_is_evaluated(void **state) {
  (void)state;
  CelRenderOptions options = cel_render_options_default();
  CelEnvSpec *spec = make_spec("Pendulum-v1");
  CelAgent *agent = make_agent(spec);
  CeliFilm film;
  double returns[3];
  OK(cel_evaluate(agent, spec, 3, 77, CEL_MODE, returns, NULL, NULL));
  options.episodes = 3;
  options.max_frames = 1000;
  OK(celi_film_record(&film, agent, spec, 77, &options));
  assert_int_equal(film.n, 3 * 201);
  for (int i = 0; i < 3; i++) {
    const CeliShot *last = &film.shot[201 * i + 200];
    assert_true(last->last);
    assert_int_equal(last->step, 200);
    if (fabs(last->gained - returns[i]) > 1e-9)
      fail_msg("episode %d: %.17g, evaluated %.17g", i, last->gained, returns[i]);
    assert_int_equal(film.shot[201 * i].step, 0);
    assert_false(film.shot[201 * i].last);
  }
  celi_film_free(&film);
  options.max_frames = 250; // ends within the second episode
  OK(celi_film_record(&film, agent, spec, 77, &options));
  assert_in_range(film.n, 249, 250);
  assert_true(film.shot[film.n - 1].last);
  celi_film_free(&film);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

static void film_ends_with_the_last_state(void **state) {
  (void)state;
  CelRenderOptions options = cel_render_options_default();
  CelEnvSpec *spec = make_spec("Disc-v0");
  CelAgent *agent = make_agent(spec);
  CeliFilm film;
  OK(celi_film_record(&film, agent, spec, 0, &options));
  assert_int_equal(film.n, LAST);
  for (int i = 0; i < LAST; i++) {
    assert_true(film.states[i] == i + 1); // the vector environment overwrites the last state
    assert_true(film.shot[i].gained == -2.0 * i);
  }
  celi_film_free(&film);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

// ---- the palette

static void uniform_colors_stay_exact(void **state) {
  (void)state;
  static const uint32_t plain[4] = {0xffffff, 0xcc3366, 0x0172b2, 0x010203};
  uint32_t data[64], colors[CELI_PALETTE_COLORS];
  CeliPixels pixels = {.size = 8, .data = data, .stride = 8};
  CeliPalette *palette;
  for (int i = 0; i < 64; i++) data[i] = plain[i / 16];
  OK(celi_palette_create(&palette));
  celi_palette_see(palette, &pixels);
  assert_int_equal(celi_palette_choose(palette, colors), 4);
  for (int i = 0; i < 4; i++)
    assert_int_equal(colors[celi_palette_index(palette, plain[i])], plain[i]);
  celi_palette_free(palette);
}

static void gradients_have_no_bands(void **state) {
  (void)state;
  enum { SIZE = 256 };
  uint32_t *data = calloc(SIZE * SIZE, sizeof *data), colors[CELI_PALETTE_COLORS];
  CeliPixels pixels = {.size = SIZE, .data = data, .stride = SIZE};
  CeliPalette *palette;
  for (uint32_t i = 0; i < SIZE * SIZE; i++) { // four ramps, as from antialiasing
    const uint32_t level = i % SIZE;
    data[i] = i / SIZE < 128 ? level * 0x010101 : 0xff0000 | level << 8 | (255 - level);
  }
  OK(celi_palette_create(&palette));
  celi_palette_see(palette, &pixels);
  assert_in_range(celi_palette_choose(palette, colors), 64, CELI_PALETTE_COLORS);
  int worst = 0;
  for (int i = 0; i < SIZE * SIZE; i++) {
    const uint32_t c = colors[celi_palette_index(palette, data[i])];
    for (int k = 0; k < 24; k += 8) {
      const int off = abs((int)(c >> k & 255) - (int)(data[i] >> k & 255));
      if (off > worst) worst = off;
    }
  }
  if (worst > 6) fail_msg("a color is off by %d", worst);
  celi_palette_free(palette);
  free(data);
}

// ---- pictures

#if defined(CELSIUS_WITH_CAIRO) && defined(CELSIUS_WITH_GIF)
#include <cairo.h>
#include <gif_lib.h>

/// The color of a pixel of a PNG file.
static uint32_t png_pixel(const char *path, int x, int y) {
  cairo_surface_t *surface = cairo_image_surface_create_from_png(path);
  assert_int_equal(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
  const uint32_t *data = (const uint32_t *)(const void *)cairo_image_surface_get_data(surface);
  const uint32_t pixel = data[y * cairo_image_surface_get_stride(surface) / 4 + x];
  cairo_surface_destroy(surface);
  return pixel & 0xffffff;
}

/// The number of pixels of a PNG file that are not white.
static int count_ink(const char *path) {
  cairo_surface_t *surface = cairo_image_surface_create_from_png(path);
  assert_int_equal(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
  const uint32_t *data = (const uint32_t *)(const void *)cairo_image_surface_get_data(surface);
  const int width = cairo_image_surface_get_width(surface),
            stride = cairo_image_surface_get_stride(surface) / 4;
  int ink = 0;
  for (int y = 0; y < cairo_image_surface_get_height(surface); y++)
    for (int x = 0; x < width; x++) ink += (data[y * stride + x] & 0xffffff) != 0xffffff;
  cairo_surface_destroy(surface);
  return ink;
}

static void png_shows_the_state(void **state) {
  (void)state;
  CelEnvSpec *spec = make_spec("Disc-v0");
  OK(cel_render_png("p.png", spec, (double[]){3}, 200));
  assert_int_equal(png_pixel("p.png", 60, 100), 0xcc3366); // x 3 of 10, 200 pixels
  assert_int_equal(png_pixel("p.png", 60, 84), 0xcc3366);
  assert_int_equal(png_pixel("p.png", 60, 76), 0xffffff);
  assert_int_equal(png_pixel("p.png", 100, 100), 0xffffff);
  char *text = read_text("p.png");
  assert_memory_equal(text, "\x89PNG\r\n\x1a\n", 8);
  free(text);
  cel_env_spec_destroy(spec);
}

static void every_shape_is_drawn(void **state) {
  (void)state;
  static CelCanvas canvas;
  static const CelColor blue = {0, 0, 1, 1};
  cel_canvas_clear(&canvas, 0, 20, 0, 10); // a wide view is centered in the square
  cel_canvas_polygon(&canvas, 3, (double[]){0, 4, 0}, (double[]){0, 0, 4}, blue);
  cel_canvas_polyline(&canvas, 2, (double[]){6, 6}, (double[]){0, 10}, 10, blue);
  cel_canvas_arc_arrow(&canvas, 12, 5, 3, 0, 3.14159, 10, blue); // over the top, to the left
  cel_canvas_arc_arrow(&canvas, 12, 5, 3, 0, 0, 10, blue);       // nothing
  cel_canvas_text(&canvas, 18, 5, "MMMM", blue);
  OK(cel_canvas_png("p.png", &canvas, 400)); // 20 pixels per unit, y = 0 at pixel 300
  assert_int_equal(png_pixel("p.png", 20, 280), 0x0000ff);
  assert_int_equal(png_pixel("p.png", 70, 230), 0xffffff);
  assert_int_equal(png_pixel("p.png", 120, 200), 0x0000ff);
  assert_int_equal(png_pixel("p.png", 240, 140), 0x0000ff); // top of the arc
  assert_int_equal(png_pixel("p.png", 240, 260), 0xffffff); // no bottom
  assert_int_equal(png_pixel("p.png", 181, 189), 0x0000ff); // the head
  assert_int_equal(png_pixel("p.png", 300, 212), 0xffffff);
  int ink = 0;
  for (int x = 330; x < 390; x++) ink += png_pixel("p.png", x, 200) != 0xffffff;
  assert_in_range(ink, 5, 55);
}

/// Decodes an animation and passes each composed picture to `see`.
static int play_gif(const char *path,
                    void (*see)(int i, const uint32_t *pixels, int size, int delay)) {
  int error = 0, n;
  GifFileType *gif = DGifOpenFileName(path, &error);
  assert_non_null(gif);
  assert_int_equal(DGifSlurp(gif), GIF_OK);
  const int size = gif->SWidth;
  assert_int_equal(gif->SHeight, size);
  uint32_t *screen = calloc((size_t)size * (size_t)size, sizeof *screen);
  // Endless repetition: Netscape's block before the first picture has a count of 0.
  const ExtensionBlock *block = gif->SavedImages[0].ExtensionBlocks;
  assert_int_equal(block[0].Function, APPLICATION_EXT_FUNC_CODE);
  assert_memory_equal(block[0].Bytes, "NETSCAPE2.0", 11);
  assert_memory_equal(block[1].Bytes, ((uint8_t[]){1, 0, 0}), 3);
  for (n = 0; n < gif->ImageCount; n++) {
    const SavedImage *image = &gif->SavedImages[n];
    const GifImageDesc *at = &image->ImageDesc;
    GraphicsControlBlock control;
    assert_int_equal(DGifSavedExtensionToGCB(gif, n, &control), GIF_OK);
    assert_int_equal(control.DisposalMode, DISPOSE_DO_NOT);
    assert_null(at->ColorMap);
    for (int i = 0; i < at->Width * at->Height; i++) {
      const int index = image->RasterBits[i];
      if (index == control.TransparentColor) continue;
      const GifColorType c = gif->SColorMap->Colors[index];
      screen[(at->Top + i / at->Width) * size + at->Left + i % at->Width] =
          (uint32_t)c.Red << 16 | (uint32_t)c.Green << 8 | c.Blue;
    }
    if (see) see(n, screen, size, control.DelayTime);
  }
  free(screen);
  assert_int_equal(DGifCloseFile(gif, &error), GIF_OK);
  return n;
}

/// Expects the disk of picture i at i + 1 and nowhere else.
static void see_disc(int i, const uint32_t *pixels, int size, int delay) {
  assert_int_equal(size, 200);
  assert_int_equal(delay, i == LAST - 1 ? 90 : 4);
  for (int k = 1; k <= LAST; k++) {
    const uint32_t pixel = pixels[100 * size + 20 * k];
    if (pixel != (k == i + 1 ? 0xcc3366 : 0xffffff) && abs(k - i - 1) != 1)
      fail_msg("picture %d: color %06x at %d", i, (unsigned)pixel, k);
  }
}

static void gif_shows_an_episode(void **state) {
  (void)state;
  CelRenderOptions options = cel_render_options_default();
  CelEnvSpec *spec = make_spec("Disc-v0");
  CelAgent *agent = make_agent(spec);
  options.size = 200;
  options.overlay = false;
  OK(cel_render_gif("d.gif", agent, spec, 1, &options));
  assert_int_equal(play_gif("d.gif", see_disc), LAST);
  options.episodes = 3;
  options.overlay = true;
  OK(cel_render_gif("d.gif", agent, spec, 1, &options));
  assert_int_equal(play_gif("d.gif", NULL), 3 * LAST);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

static void gif_is_small_and_the_same_every_time(void **state) {
  (void)state;
  CelEnvSpec *spec = make_spec("Pendulum-v1");
  CelAgent *agent = make_agent(spec);
  struct stat info;
  OK(cel_render_gif("1.gif", agent, spec, 1, NULL));
  OK(cel_render_gif("2.gif", agent, spec, 1, NULL));
  assert_int_equal(system("cmp 1.gif 2.gif"), 0);
  assert_int_equal(play_gif("1.gif", NULL), 201);
  assert_int_equal(stat("1.gif", &info), 0);
  if (info.st_size > 1 << 20) fail_msg("200 pictures take %lld bytes", (long long)info.st_size);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

// ---- environments with a renderer of their own

/// Fills the image: red is the row, green the column, blue the state. The camera "dark" sees black,
/// and every other camera is unknown.
static void image_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  (void)spec;
  const bool named = canvas->camera && canvas->camera[0];
  const bool dark = named && strcmp(canvas->camera, "dark") == 0;
  if (!canvas->image || (named && !dark)) {
    canvas->failed = cel_fail(CEL_E_NAME, "no camera '%s'", named ? canvas->camera : "");
    return;
  }
  uint8_t *rgb = canvas->image;
  for (int y = 0; y < canvas->image_size; y++)
    for (int x = 0; x < canvas->image_size; x++, rgb += 3) {
      rgb[0] = dark ? 0 : (uint8_t)y, rgb[1] = dark ? 0 : (uint8_t)x;
      rgb[2] = dark ? 0 : (uint8_t)(10 * state[0]);
    }
  canvas->has_image = true;
}

/// Writes a program "ffmpeg" and makes it the only one on PATH.
static void fake_ffmpeg(const char *script) {
  char folder[512];
  assert_non_null(getcwd(folder, sizeof folder));
  write_text("ffmpeg", script);
  assert_int_equal(chmod("ffmpeg", 0755), 0);
  setenv("PATH", folder, 1);
}

static void images_become_pictures(void **state) {
  (void)state;
  CelEnvType type = disc;
  type.render = image_render;
  CelEnvSpec *spec = make_spec("Disc-v0");
  CelAgent *agent = make_agent(spec);
  CelRenderOptions options = cel_render_options_default();
  spec->type = &type;
  options.size = 64;
  options.overlay = false;
  OK(cel_render("i.gif", agent, spec, 1, &options));
  assert_int_equal(play_gif("i.gif", NULL), LAST);
  OK(cel_render("i.png", agent, spec, 1, &options));
  OK(cel_render_png("j.png", spec, (double[]){5}, 64)); // the state in the middle
  assert_int_equal(system("cmp i.png j.png"), 0);
  strcpy(options.camera, "dark");
  OK(cel_render("k.png", agent, spec, 1, &options));
  assert_int_not_equal(system("cmp -s i.png k.png"), 0);
  strcpy(options.camera, "roof");
  FAILS(cel_render("k.png", agent, spec, 1, &options), CEL_E_NAME, "Disc-v0: no camera 'roof'");
  FAILS(cel_render("k.jpg", agent, spec, 1, &options), CEL_E_ARGUMENT, ".gif, .mp4 or .png");
  FAILS(cel_render("k", agent, spec, 1, &options), CEL_E_ARGUMENT, ".gif, .mp4 or .png");
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

/// A stand-in for ffmpeg stores what it gets. The last picture lasts .9 s, 23 times as long as the
/// others.
static void films_are_encoded_by_ffmpeg(void **state) {
  (void)state;
  enum { SIZE = 33, FRAME = SIZE * SIZE * 3, FRAMES = LAST - 1 + 23 };
  char old[4096];
  CelEnvType type = disc;
  type.render = image_render;
  CelEnvSpec *spec = make_spec("Disc-v0");
  CelAgent *agent = make_agent(spec);
  CelRenderOptions options = cel_render_options_default();
  spec->type = &type;
  options.size = SIZE;
  options.overlay = false;
  snprintf(old, sizeof old, "%s", getenv("PATH"));
  fake_ffmpeg("#!/bin/sh\nfor last; do :; done\n/bin/cat >$last\n");
  OK(cel_render("film.mp4", agent, spec, 1, &options));
  FILE *file = fopen("film.mp4", "rb");
  assert_non_null(file);
  static uint8_t bytes[FRAMES * FRAME + 1];
  assert_int_equal(fread(bytes, 1, sizeof bytes, file), FRAMES * FRAME);
  fclose(file);
  for (int i = 0; i < FRAMES; i++) {
    const uint8_t *pixel = bytes + i * FRAME + 3 * (SIZE * 7 + 4); // row 7, column 4
    assert_int_equal(pixel[0], 7);
    assert_int_equal(pixel[1], 4);
    assert_int_equal(pixel[2], 10 * (i < LAST ? i + 1 : LAST));
  }
  fake_ffmpeg("#!/bin/sh\necho 'no such codec' >&2\nexit 3\n");
  FAILS(cel_render("film.mp4", agent, spec, 1, &options), CEL_E_IO, "no such codec");
  strcpy(options.camera, "roof");
  fake_ffmpeg("#!/bin/sh\n/bin/cat >/dev/null\n");
  FAILS(cel_render("film.mp4", agent, spec, 1, &options), CEL_E_NAME, "roof");
  options.camera[0] = 0;
  unlink("ffmpeg");
  FAILS(cel_render("film.mp4", agent, spec, 1, &options), CEL_E_UNSUPPORTED, "ffmpeg; install it");
  setenv("PATH", old, 1);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

static void no_view_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  (void)spec, (void)state, (void)canvas;
}

static void wrong_calls_are_named(void **state) {
  (void)state;
  CelRenderOptions options = cel_render_options_default();
  CelEnvSpec *spec = make_spec("Disc-v0"), *other = make_spec("Pendulum-v1");
  CelAgent *agent = make_agent(spec);
  FAILS(cel_render_gif("nowhere/a.gif", agent, spec, 1, NULL), CEL_E_IO, "nowhere/a.gif");
  FAILS(cel_render_gif("a.gif", agent, other, 1, NULL), CEL_E_SHAPE, "Pendulum-v1");
  options.size = 8;
  FAILS(cel_render_gif("a.gif", agent, spec, 1, &options), CEL_E_RANGE, "size");
  FAILS(cel_render_png("a.png", spec, (double[]){1}, 8), CEL_E_RANGE, "size");
  FAILS(cel_render_png("nowhere/a.png", spec, (double[]){1}, 100), CEL_E_IO, "nowhere/a.png");
  FAILS(cel_render_png("a.png", spec, (double[]){(double)NAN}, 100), CEL_E_NAN, "not finite");
  CelEnvType type = disc;
  spec->type = &type;
  type.render = NULL;
  FAILS(cel_render_gif("a.gif", agent, spec, 1, NULL), CEL_E_UNSUPPORTED, "Disc-v0");
  type.render = no_view_render;
  FAILS(cel_render_gif("a.gif", agent, spec, 1, NULL), CEL_E_RANGE, "no view");
  static CelCanvas canvas;
  cel_canvas_clear(&canvas, 0, 1, 0, 1);
  for (int i = 0; i < CEL_SHAPES_MAX + 3; i++) cel_canvas_circle(&canvas, 0, 0, 1, red);
  FAILS(cel_canvas_png("a.png", &canvas, 100), CEL_E_RANGE, "3 shapes too many");
  assert_int_equal(access("a.gif", F_OK), -1);
  assert_int_equal(access("a.png", F_OK), -1);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_env_spec_destroy(other);
}

static void full_disk_keeps_the_old_file(void **state) {
  (void)state;
  struct rlimit old;
  CelEnvSpec *spec = make_spec("Disc-v0");
  CelAgent *agent = make_agent(spec);
  write_text("a.gif", "old");
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  const struct rlimit small = {500, old.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  const CelStatus status = cel_render_gif("a.gif", agent, spec, 1, NULL);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(status, CEL_E_IO);
  char *text = read_text("a.gif");
  assert_string_equal(text, "old");
  free(text);
  glob_t left; // temporary files
  assert_int_equal(glob("a.gif.*", 0, NULL, &left), GLOB_NOMATCH);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

/// Every environment with a render function draws some pixels, but not all.
static void all_environments_draw(void **state) {
  (void)state;
  int drawn = 0;
  for (int i = 0; cel_env_type_at(i); i++) {
    const CelEnvType *type = cel_env_type_at(i);
    if (!type->render) continue;
    CelEnvSpec *spec = make_spec(type->id);
    double first[64];
    float obs[512];
    CelRng rng = cel_rng(1, CEL_RNG_ENV, 0);
    assert_true(spec->state_size <= 64 && cel_space_floats(&spec->observation) <= 512);
    OK(type->reset(spec, first, obs, &rng));
    OK(cel_render_png("e.png", spec, first, 100));
    const int ink = count_ink("e.png");
    if (ink < 50 || // a state among 500 is a small square
        ink > 9000)
      fail_msg("%s: %d of 10000 pixels drawn", type->id, ink);
    cel_env_spec_destroy(spec);
    drawn++;
  }
  assert_true(drawn >= 6);
}

#define PICTURES                                                                                   \
  TEST(png_shows_the_state), TEST(every_shape_is_drawn), TEST(gif_shows_an_episode),               \
      TEST(gif_is_small_and_the_same_every_time), TEST(wrong_calls_are_named),                     \
      TEST(full_disk_keeps_the_old_file), TEST(all_environments_draw),                             \
      TEST(images_become_pictures), TEST(films_are_encoded_by_ffmpeg)

#else

static void says_what_to_install(void **state) {
  (void)state;
  CelEnvSpec *spec = make_spec("Disc-v0");
  CelAgent *agent = make_agent(spec);
  FAILS(cel_render_gif("a.gif", agent, spec, 1, NULL), CEL_E_UNSUPPORTED, "-dev");
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
}

#define PICTURES TEST(says_what_to_install)

#endif

static void fields_are_sound(void **state) {
  (void)state;
  OK(cel_fields_check_table(cel_render_fields()));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_folder, leave_folder)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(speed_follows_the_environment),
      TEST(film_shows_what_is_evaluated),
      TEST(film_ends_with_the_last_state),
      TEST(uniform_colors_stay_exact),
      TEST(gradients_have_no_bands),
      TEST(fields_are_sound),
      PICTURES,
  };
  if (cel_env_register(&disc) != CEL_OK) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
