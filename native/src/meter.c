/* Descriptors of levels, without samples: as space/controls/levels.py measures them. */
#include "phase.h"
#include "space.h"
#include "finish.h"

enum { DECAY = 1, ATTACK = 2, NOISINESS = 3, LOUDNESS = 5, LENGTH = 7 };
static const double TINY = 1e-12, LENGTH_DB = 60.0, FLATTEST = 1e-6, LOW_HZ = 150.0, WINDOW = 0.4, ABOVE_FLOOR_DB = 3.0;
static const double LEAST_DECAY = 0.002, LEAST_ATTACK = 0.0005; /* s */

static double larger(double a, double b) { return a > b ? a : b; }
static double within(double x, double low, double high) { return x > low ? (x < high ? x : high) : low; }
static double decibels(double power) { return 10.0 * ts_log10(larger(power, TINY)); }

/* What bands are: centres and widths in Hz, the share of each that is under 150 Hz, and how loud it is heard. */
typedef struct {
  double *hz, *share, *low, *heard;
} Axis;

static double squared_gain(const Biquad *filter, double turns) {
  double c = ts_cos_turns(turns), s = ts_sin_turns(turns), c2 = ts_cos_turns(2.0 * turns), s2 = ts_sin_turns(2.0 * turns);
  double top = filter->b0 + filter->b1 * c + filter->b2 * c2, over = filter->b1 * s + filter->b2 * s2;
  double bottom = 1.0 + filter->a1 * c + filter->a2 * c2, under = filter->a1 * s + filter->a2 * s2;
  return (top * top + over * over) / (bottom * bottom + under * under);
}

static Status axis_open(const View *view, Axis *axis, Arena *work) {
  size_t n = (size_t)view->bands;
  axis->hz = TAKE(work, double, n), axis->share = TAKE(work, double, n), axis->low = TAKE(work, double, n), axis->heard = TAKE(work, double, n);
  if (!axis->hz || !axis->share || !axis->low || !axis->heard) return TS_MEMORY;
  Biquad filters[2];
  k_weighting(view->rate, filters);
  double width = (double)view->rate / view->n_fft, top = view->rate / 2.0, all = 0.0;
  for (size_t i = 0; i < n; i++) {
    double low = larger((view->edges[i] - 0.5) * width, 0.0), high = (view->edges[i + 1] - 0.5) * width, wide;
    high = high < top ? high : top, wide = larger(high - low, 1e-3);
    axis->hz[i] = view_centre(view, (int)i), axis->share[i] = wide, all += wide;
    axis->low[i] = within(((high < LOW_HZ ? high : LOW_HZ) - low) / wide, 0.0, 1.0);
    double turns = (axis->hz[i] < 0.499 * view->rate ? axis->hz[i] : 0.499 * view->rate) / view->rate;
    axis->heard[i] = squared_gain(filters, turns) * squared_gain(filters + 1, turns);
  }
  for (size_t i = 0; i < n; i++) axis->share[i] /= all;
  return TS_OK;
}

static double decay_of(const double *course, size_t frames, double rate, double *level) {
  double left = 0.0, time = 0.0, mean = 0.0, product = 0.0, square = 0.0;
  size_t used = 0, over = 0;
  for (size_t t = frames; t-- > 0;) left += course[t], level[t] = left;
  double whole = larger(level[0], TINY);
  for (size_t t = 0; t < frames; t++) {
    double share = level[t] / whole;
    level[t] = 10.0 * ts_log10(larger(share, 1e-7));
    over += level[t] > -35.0;
    if (level[t] <= -5.0 && level[t] >= -35.0) mean += (double)t / rate, used++;
  }
  if (used < 3) return larger((double)over / rate * (60.0 / 35.0), LEAST_DECAY);
  mean /= (double)used;
  for (size_t t = 0; t < frames; t++) {
    if (!(level[t] <= -5.0 && level[t] >= -35.0)) continue;
    time = (double)t / rate - mean;
    product += time * level[t], square += time * time;
  }
  double slope = product / larger(square, TINY);
  return larger(-60.0 / (slope < -1.0 ? slope : -1.0), LEAST_DECAY);
}

/* The first frame at which the size reaches `level`, between frames; from 0 before the first. */
static double crossing(const double *course, size_t frames, double level) {
  double before = 0.0;
  for (size_t t = 0; t < frames; t++) {
    double size = ts_sqrt(larger(course[t], TINY));
    if (size >= level) return (double)t + within((level - before) / larger(size - before, TINY), 0.0, 1.0);
    before = size;
  }
  return 0.0;
}

static double length_of(const double *course, size_t frames, double rate, double most) {
  double top = decibels(most) - LENGTH_DB;
  size_t last = frames - 1;
  while (last > 0 && !(decibels(course[last]) > top)) last--;
  double here = decibels(course[last]) - top, after = decibels(course[last + 1 < frames ? last + 1 : last]) - top;
  after = larger(after, -LENGTH_DB);
  return larger(((double)last + within(here / larger(here - after, 1e-3), 0.0, 1.0)) / rate, 1.0 / rate);
}

static double loudness_of(double *heard, size_t frames, double rate, double most) {
  size_t window = (size_t)larger(round_half_even(WINDOW * rate), 1.0);
  double best = 0.0, running = 0.0;
  for (size_t t = 0; t < frames; t++) {
    running += heard[t];
    if (t >= window) running -= heard[t - window];
    if (t + 1 >= window || t + 1 == frames) best = larger(best, running);
  }
  return decibels(best / (double)window) - decibels(most);
}

static double flatness_of(const Axis *axis, const double *bands, size_t n, size_t frames) {
  double mean = 0.0, logs = 0.0;
  for (size_t i = 0; i < n; i++) mean += bands[i] / (double)frames * axis->share[i];
  mean = larger(mean, TINY);
  for (size_t i = 0; i < n; i++) logs += ts_log(larger(larger(bands[i] / (double)frames, FLATTEST * mean), 1e-30)) * axis->share[i];
  return (logs - ts_log(mean)) * 0x1.71547652b82fep+0;
}

size_t levels_measure_size(const Phase *phase, int64_t samples) {
  return (size_t)(samples / phase->view.hop + 1) * 24 + (size_t)phase->view.bands * 48 + 4096;
}

Status levels_measure(const Phase *phase, const Levels *levels, float out[DESCRIPTORS], Arena *work) {
  const View *view = &phase->view;
  size_t used = work->used, n = (size_t)levels->bands, frames = (size_t)levels->frames;
  Axis axis;
  double *bands = TAKE(work, double, n), *course = TAKE(work, double, frames), *heard = TAKE(work, double, frames);
  double *level = TAKE(work, double, frames);
  float *power = TAKE(work, float, n);
  if (!bands || !course || !heard || !level || !power || axis_open(view, &axis, work) != TS_OK) return work->used = used, TS_MEMORY;
  float loudest = levels->db[0];
  for (size_t i = 0; i < n * frames * (size_t)levels->parts; i++) loudest = levels->db[i] > loudest ? levels->db[i] : loudest;
  float silent = (float)((double)loudest - view->floor + ABOVE_FLOOR_DB);
  memset(bands, 0, n * sizeof *bands), memset(course, 0, frames * sizeof *course), memset(heard, 0, frames * sizeof *heard);
  for (size_t row = 0; row < frames * (size_t)levels->parts; row++) {
    const float *db = levels->db + row * n;
    for (size_t i = 0; i < n; i++) power[i] = (db[i] - loudest) * 0.23025851f;
    ts_exp_array(power, power, n);
    double sum = 0.0, loud = 0.0;
    for (size_t i = 0; i < n; i++) {
      double one = db[i] > silent ? (double)power[i] : 0.0, energy = one * axis.share[i];
      bands[i] += one, sum += energy, loud += energy * axis.heard[i];
    }
    course[row % frames] += sum, heard[row % frames] += loud;
  }
  double most = 0.0, total = 0.0, bright = 0.0, low = 0.0, rate = (double)view->rate / view->hop;
  for (size_t t = 0; t < frames; t++) most = larger(most, course[t]);
  for (size_t i = 0; i < n; i++) {
    double energy = bands[i] * axis.share[i];
    total += energy, bright += energy * axis.hz[i], low += energy * axis.low[i];
  }
  total = larger(total, TINY);
  double peak = ts_sqrt(larger(most, TINY)), rise = (crossing(course, frames, 0.9 * peak) - crossing(course, frames, 0.1 * peak)) / rate;
  for (int i = 0; i < DESCRIPTORS; i++) out[i] = __builtin_nanf("");
  out[BRIGHTNESS] = (float)ts_log2(larger(bright / total, 1.0)), out[LOW_END] = (float)(10.0 * ts_log10(larger(low / total, 1e-6)));
  out[DECAY] = (float)ts_log2(decay_of(course, frames, rate, level)), out[ATTACK] = (float)ts_log2(larger(rise, LEAST_ATTACK));
  out[LENGTH] = (float)ts_log2(length_of(course, frames, rate, most)), out[LOUDNESS] = (float)loudness_of(heard, frames, rate, most);
  out[NOISINESS] = (float)flatness_of(&axis, bands, n, frames);
  work->used = used;
  return TS_OK;
}
