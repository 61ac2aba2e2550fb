/// Pictures, drawn by MuJoCo's renderer without a screen.
///
/// OpenGL comes from EGL, which is loaded at the first picture: this file needs no header and no
/// library of OpenGL. A context belongs to one opened task. It is current only while a picture is
/// drawn; then the thread gets back the context that it had before.
#include "mujoco_env.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- EGL

typedef void *Display, *Config, *Context, *Surface;
typedef int32_t Int;

enum {
  DEPTH_SIZE = 0x3025,
  BLUE_SIZE = 0x3022,
  GREEN_SIZE = 0x3023,
  RED_SIZE = 0x3024,
  SURFACE_TYPE = 0x3033,
  PBUFFER_BIT = 1,
  RENDERABLE_TYPE = 0x3040,
  OPENGL_BIT = 8,
  OPENGL_API = 0x30a2,
  NONE = 0x3038,
  DRAW = 0x3059,
  READ = 0x305a,
  PLATFORM_SURFACELESS = 0x31dd,
  PLATFORM_DEVICE = 0x313f
};

/// The functions of EGL that are used, and the display, which the process shares.
static struct {
  pthread_once_t once;
  char error[256];
  Display display;
  Config config;
  void *(*GetProcAddress)(const char *name);
  Display (*GetPlatformDisplay)(unsigned platform, void *native, const intptr_t *attributes);
  unsigned (*QueryDevices)(Int most, void **devices, Int *n);
  unsigned (*Initialize)(Display display, Int *major, Int *minor);
  unsigned (*ChooseConfig)(Display display, const Int *attributes, Config *config, Int most,
                           Int *n);
  unsigned (*BindAPI)(unsigned api);
  Context (*CreateContext)(Display display, Config config, Context share, const Int *attributes);
  unsigned (*DestroyContext)(Display display, Context context);
  unsigned (*MakeCurrent)(Display display, Surface draw, Surface read, Context context);
  Display (*GetCurrentDisplay)(void);
  Context (*GetCurrentContext)(void);
  Surface (*GetCurrentSurface)(Int which);
} egl = {.once = PTHREAD_ONCE_INIT};

/// Finds a function. ISO C has no cast from an object to a function pointer.
static bool find(void *library, const char *name, void *place) {
  void *symbol = dlsym(library, name);
  if (!symbol && egl.GetProcAddress) symbol = egl.GetProcAddress(name);
  memcpy(place, &symbol, sizeof symbol);
  return symbol != NULL;
}

static bool use_display(Display display) {
  static const Int wanted[] = {
      SURFACE_TYPE, PBUFFER_BIT, RENDERABLE_TYPE, OPENGL_BIT, RED_SIZE, 8, GREEN_SIZE, 8,
      BLUE_SIZE,    8,           DEPTH_SIZE,      24,         NONE};
  Int n = 0;
  if (!display || !egl.Initialize(display, NULL, NULL)) return false;
  if (!egl.ChooseConfig(display, wanted, &egl.config, 1, &n) || n < 1) return false;
  egl.display = display;
  return true;
}

/// Looks for a display that needs no screen: a graphics card, else Mesa's software renderer.
static bool find_display(void) {
  void *devices[16];
  Int n = 0;
  if (egl.QueryDevices && egl.QueryDevices(16, devices, &n))
    for (Int i = 0; i < n; i++)
      if (use_display(egl.GetPlatformDisplay(PLATFORM_DEVICE, devices[i], NULL))) return true;
  return use_display(egl.GetPlatformDisplay(PLATFORM_SURFACELESS, NULL, NULL));
}

static void load_egl(void) {
  void *library = dlopen("libEGL.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    snprintf(egl.error, sizeof egl.error, "%s", dlerror());
    return;
  }
  bool found = find(library, "eglGetProcAddress", &egl.GetProcAddress);
  found = found && find(library, "eglGetPlatformDisplay", &egl.GetPlatformDisplay) &&
          find(library, "eglInitialize", &egl.Initialize) &&
          find(library, "eglChooseConfig", &egl.ChooseConfig) &&
          find(library, "eglBindAPI", &egl.BindAPI) &&
          find(library, "eglCreateContext", &egl.CreateContext) &&
          find(library, "eglDestroyContext", &egl.DestroyContext) &&
          find(library, "eglMakeCurrent", &egl.MakeCurrent) &&
          find(library, "eglGetCurrentDisplay", &egl.GetCurrentDisplay) &&
          find(library, "eglGetCurrentContext", &egl.GetCurrentContext) &&
          find(library, "eglGetCurrentSurface", &egl.GetCurrentSurface);
  find(library, "eglQueryDevicesEXT", &egl.QueryDevices);
  if (!found)
    snprintf(egl.error, sizeof egl.error, "libEGL.so.1 is too old");
  else if (!find_display())
    snprintf(egl.error, sizeof egl.error, "EGL finds no driver that draws without a screen");
}

static CelStatus need_egl(void) {
  pthread_once(&egl.once, load_egl);
  if (egl.display) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "pictures need OpenGL through EGL (%s); install it (Debian: libegl1 libgl1 "
                  "libgl1-mesa-dri)",
                  egl.error);
}

/// What was current in this thread.
typedef struct Before {
  Display display;
  Context context;
  Surface draw, read;
} Before;

static CelStatus make_current(Context context, Before *before) {
  *before = (Before){egl.GetCurrentDisplay(), egl.GetCurrentContext(), egl.GetCurrentSurface(DRAW),
                     egl.GetCurrentSurface(READ)};
  egl.BindAPI(OPENGL_API);
  if (egl.MakeCurrent(egl.display, NULL, NULL, context)) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "pictures: EGL cannot use an OpenGL context without a surface");
}

static void restore(const Before *before) {
  if (before->context)
    egl.MakeCurrent(before->display, before->draw, before->read, before->context);
  else
    egl.MakeCurrent(egl.display, NULL, NULL, NULL);
}

// ---- MuJoCo's renderer

/// Of one opened task.
struct CeliRenderer {
  Context context;
  bool has_scene, has_buffers;
  mjModel *model; ///< copy of the task's model, with floors without an end
  mjvScene scene;
  mjvOption option;
  mjrContext buffers;
};

typedef struct Picture {
  CeliMujoco *e;
  mjData *d;
  const double *state;
  CelCanvas *canvas;
} Picture;

/// Gives floors no end: they have none for collisions, but in pictures they end at the size in the
/// model file, which a fast robot leaves. The size 0 draws a floor without an end. Its texture then
/// repeats by length instead of by size.
static void extend_floors(mjModel *m) {
  for (int i = 0; i < m->ngeom; i++) {
    mjtNum *size = m->geom_size + 3 * i;
    const int material = m->geom_matid[i];
    if (m->geom_type[i] != mjGEOM_PLANE || size[0] <= 0 || size[1] <= 0) continue;
    if (material >= 0 && !m->mat_texuniform[material]) {
      for (int k = 0; k < 2; k++) m->mat_texrepeat[2 * material + k] /= (float)(2 * size[k]);
      m->mat_texuniform[material] = 1;
    }
    size[0] = size[1] = 0;
  }
}

static CelStatus copy_model(CeliMujoco *e) {
  mjModel *m = mj_copyModel(NULL, e->model);
  if (!m) return cel_fail(CEL_E_MEMORY, "not enough memory for pictures");
  extend_floors(m);
  m->vis.quality.shadowsize = 1024; // 4096 takes twice as long without a graphics card
  e->renderer->model = m;
  return CEL_OK;
}

/// Allocates the scene and the buffers in the context that is current.
static CelStatus make_buffers(CeliMujoco *e, int size) {
  CeliRenderer *r = e->renderer;
  if (!r->model) CELI_MUJOCO_TRY(copy_model(e));
  if (!r->has_scene) {
    mjv_defaultScene(&r->scene);
    mjv_defaultOption(&r->option);
    mjv_makeScene(r->model, &r->scene, 2000);
    r->has_scene = true;
  }
  if (!r->has_buffers) {
    mjr_defaultContext(&r->buffers);
    mjr_makeContext(r->model, &r->buffers, mjFONTSCALE_100);
    r->has_buffers = true;
  }
  if (r->buffers.offWidth != size || r->buffers.offHeight != size)
    mjr_resizeOffscreen(size, size, &r->buffers);
  mjr_setBuffer(mjFB_OFFSCREEN, &r->buffers);
  if (r->buffers.currentBuffer == mjFB_OFFSCREEN) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED, "pictures: this OpenGL has no offscreen buffer");
}

static CelStatus fail_camera(const mjModel *m, const char *name) {
  char names[256] = "";
  size_t n = 0;
  for (int i = 0; i < m->ncam && n < 200; i++)
    n += (size_t)snprintf(names + n, sizeof names - n, "%.40s, ", mj_id2name(m, mjOBJ_CAMERA, i));
  return cel_fail(CEL_E_NAME, "the model has no camera '%s'; choose from: %sfree", name, names);
}

/// The camera that was asked for; else the model's camera "track"; else the task's view, which
/// follows a body. "free" is the task's view.
static CelStatus set_camera(const CeliMujoco *e, const mjData *d, const char *name,
                            mjvCamera *camera) {
  const mjModel *m = e->model;
  if (!name || !name[0]) name = e->camera;
  const bool asked = name && name[0], free_view = asked && strcmp(name, "free") == 0;
  const CeliView *view = &e->task->view;
  mjv_defaultCamera(camera);
  mjv_defaultFreeCamera(m, camera);
  const int fixed = free_view ? -1 : mj_name2id(m, mjOBJ_CAMERA, asked ? name : "track");
  if (fixed >= 0) {
    camera->type = mjCAMERA_FIXED;
    camera->fixedcamid = fixed;
    return CEL_OK;
  }
  if (asked && !free_view) return fail_camera(m, name);
  if (view->distance > 0) camera->distance = view->distance;
  if (view->has_elevation) camera->elevation = view->elevation;
  if (view->has_lookat)
    for (int i = 0; i < 3; i++) camera->lookat[i] = view->lookat[i];
  if (view->track > 0 && view->track < m->nbody) {
    camera->type = mjCAMERA_TRACKING;
    camera->trackbodyid = view->track;
    for (int i = 0; i < 2; i++) camera->lookat[i] = d->xpos[3 * view->track + i];
  }
  return CEL_OK;
}

static void flip(uint8_t *image, int size) {
  const size_t row = 3 * (size_t)size;
  for (int y = 0; y < size / 2; y++) {
    uint8_t *a = image + (size_t)y * row, *b = image + (size_t)(size - 1 - y) * row;
    for (size_t i = 0; i < row; i++) {
      const uint8_t byte = a[i];
      a[i] = b[i];
      b[i] = byte;
    }
  }
}

static CelStatus draw(void *argument) {
  Picture *p = argument;
  CeliMujoco *e = p->e;
  CeliRenderer *r = e->renderer;
  const int size = p->canvas->image_size;
  const mjrRect whole = {0, 0, size, size};
  mjvCamera camera;
  if (e->prepare) {
    if (!r->model) CELI_MUJOCO_TRY(copy_model(e));
    e->prepare(e, r->model, p->state);
  }
  const mjModel *m = e->prepare ? r->model : e->model;
  mj_setState(m, p->d, p->state, mjSTATE_INTEGRATION);
  mj_forward(m, p->d);
  CELI_MUJOCO_TRY(set_camera(e, p->d, p->canvas->camera, &camera));
  CELI_MUJOCO_TRY(make_buffers(e, size));
  mjv_updateScene(r->model, p->d, &r->option, NULL, &camera, mjCAT_ALL, &r->scene);
  mjr_render(whole, &r->scene, &r->buffers);
  mjr_readPixels(p->canvas->image, NULL, whole, &r->buffers);
  flip(p->canvas->image, size);
  return CEL_OK;
}

static CelStatus draw_with_context(Picture *p) {
  CeliMujoco *e = p->e;
  Before before;
  CELI_MUJOCO_TRY(need_egl());
  if (!e->renderer) e->renderer = calloc(1, sizeof *e->renderer);
  if (!e->renderer) return cel_fail(CEL_E_MEMORY, "not enough memory for pictures");
  egl.BindAPI(OPENGL_API);
  if (!e->renderer->context)
    e->renderer->context = egl.CreateContext(egl.display, egl.config, NULL, NULL);
  if (!e->renderer->context)
    return cel_fail(CEL_E_UNSUPPORTED, "pictures: EGL cannot create an OpenGL context");
  CELI_MUJOCO_TRY(make_current(e->renderer->context, &before));
  const CelStatus status = celi_mujoco_guard(draw, p);
  restore(&before);
  return status;
}

void celi_mujoco_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  CeliMujoco *e = spec->data;
  if (!canvas->image) {
    canvas->failed = cel_fail(CEL_E_UNSUPPORTED, "this environment draws only images");
    return;
  }
  Picture p = {.e = e, .d = celi_mujoco_take(e), .state = state, .canvas = canvas};
  pthread_mutex_lock(&e->drawing);
  canvas->failed = draw_with_context(&p);
  pthread_mutex_unlock(&e->drawing);
  celi_mujoco_give(e, p.d);
  canvas->has_image = canvas->failed == CEL_OK;
}

static CelStatus free_buffers(void *argument) {
  CeliRenderer *r = argument;
  if (r->has_buffers) mjr_freeContext(&r->buffers);
  if (r->has_scene) mjv_freeScene(&r->scene);
  if (r->model) mj_deleteModel(r->model);
  return CEL_OK;
}

void celi_renderer_free(CeliRenderer *r) {
  Before before;
  if (!r) return;
  if (r->context && make_current(r->context, &before) == CEL_OK) {
    const CelStatus status = celi_mujoco_guard(free_buffers, r);
    (void)status; // there is nothing to do about an error of freeing
    restore(&before);
  }
  if (r->context) egl.DestroyContext(egl.display, r->context);
  free(r);
}
