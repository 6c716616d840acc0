#include "metrics/metrics.hpp"

#include <fmt/format.h>
#include <prometheus/check_names.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <list>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <stdexcept>
#include <unordered_map>
#include <variant>

namespace trellis::host {
namespace {

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
};

const char* name_of(Metrics::Kind kind) {
  switch (kind) {
    case Metrics::Kind::Counter:
      return "counter";
    case Metrics::Kind::Gauge:
      return "gauge";
    case Metrics::Kind::Histogram:
      return "histogram";
  }
  return "unknown kind of metric";
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out.empty() ? "none" : out;
}

/// As the text format wants it on one line.
std::string escaped(std::string_view help) {
  std::string out;
  for (const char c : help) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

/// The label values as one text that no other values make. Reuses its buffer.
std::string_view key_of(Metrics::Labels values) {
  thread_local std::string key;
  key.clear();
  for (const auto value : values) {
    const auto size = static_cast<std::uint32_t>(value.size());
    key.append(reinterpret_cast<const char*>(&size), sizeof size).append(value);
  }
  return key;
}

using Series = std::variant<prometheus::Counter*, prometheus::Gauge*, prometheus::Histogram*>;
using FamilyRef = std::variant<prometheus::Family<prometheus::Counter>*, prometheus::Family<prometheus::Gauge>*,
                               prometheus::Family<prometheus::Histogram>*>;

struct Family {
  Metrics::Kind kind;
  std::string name, help;
  std::vector<std::string> labels;
  std::vector<double> buckets;
  FamilyRef family;
  std::shared_mutex mutex;
  std::unordered_map<std::string, Series, Hash, std::equal_to<>> series;
};

void apply(const Series& series, double value, bool set) {
  if (const auto* counter = std::get_if<prometheus::Counter*>(&series)) {
    if (value >= 0) (*counter)->Increment(value);
  } else if (const auto* gauge = std::get_if<prometheus::Gauge*>(&series)) {
    set ? (*gauge)->Set(value) : (*gauge)->Increment(value);
  } else {
    std::get<prometheus::Histogram*>(series)->Observe(value);
  }
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  std::shared_mutex mutex;
  std::deque<Family> families;  // by handle - 1; never shrinks, so references stay
  std::unordered_map<std::string, Handle, Hash, std::equal_to<>> by_name;
  std::mutex readers_mutex;
  std::list<std::function<void()>> readers;
  Handle dropped = 0;

  Family* find(Handle handle) {
    const std::shared_lock lock(mutex);
    return handle >= 1 && handle <= families.size() ? &families[handle - 1] : nullptr;
  }
  template <class F>
  void with_series(Family& family, Labels values, F&& change, Handle handle);
  void apply_to(Handle handle, double value, Labels values, bool set);
};

Metrics::Metrics() : impl_(std::make_shared<Impl>()) {
  impl_->dropped = family(Kind::Counter, "trellis_metric_values_dropped_total",
                          "Values of metrics that have too many combinations of labels", {"metric"});
}
Metrics::~Metrics() = default;

Metrics::Handle Metrics::family(Kind kind, std::string_view name, std::string_view help,
                                const std::vector<std::string>& labels, const std::vector<double>& given_buckets) {
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument(fmt::format("the metric \"{}\" {}", name, why));
  };
  if (kind != Kind::Counter && kind != Kind::Gauge && kind != Kind::Histogram) refuse("is of an unknown kind");
  if (!prometheus::CheckMetricName(std::string(name)))
    refuse("needs another name: letters, digits and _, not beginning with a digit or with __");
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!prometheus::CheckLabelName(labels[i]) || (kind == Kind::Histogram && labels[i] == "le"))
      refuse(
          fmt::format("cannot have a label \"{}\": labels are letters, digits and _, do not begin with a digit or "
                      "with __, and le is a histogram's own",
                      labels[i]));
    if (std::find(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(i), labels[i]) !=
        labels.begin() + static_cast<std::ptrdiff_t>(i))
      refuse(fmt::format("has the label \"{}\" twice", labels[i]));
  }
  std::vector<double> buckets;
  if (kind == Kind::Histogram) {
    static const std::vector<double> kSeconds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                              0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    60};
    buckets = given_buckets.empty() ? kSeconds : given_buckets;
    for (std::size_t i = 0; i < buckets.size(); ++i)
      if (!std::isfinite(buckets[i]) || (i && buckets[i] <= buckets[i - 1])) refuse("has buckets that do not rise");
  }

  const std::unique_lock lock(impl_->mutex);
  if (const auto found = impl_->by_name.find(name); found != impl_->by_name.end()) {
    const auto& old = impl_->families[found->second - 1];
    if (old.kind != kind)
      refuse(fmt::format("is a {} already and cannot be a {} too", name_of(old.kind), name_of(kind)));
    if (old.labels != labels)
      refuse(fmt::format("has the labels {} already and cannot have {}", joined(old.labels), joined(labels)));
    if (old.buckets != buckets) refuse("exists already with other buckets");
    return found->second;
  }
  auto& registry = impl_->registry;
  const std::string text(name), words(help);
  FamilyRef made;
  if (kind == Kind::Counter)
    made = &prometheus::BuildCounter().Name(text).Help(words).Register(registry);
  else if (kind == Kind::Gauge)
    made = &prometheus::BuildGauge().Name(text).Help(words).Register(registry);
  else
    made = &prometheus::BuildHistogram().Name(text).Help(words).Register(registry);
  auto& family = impl_->families.emplace_back();
  family.kind = kind, family.name = text, family.help = words, family.labels = labels, family.buckets = buckets,
  family.family = made;
  const Handle handle = impl_->families.size();
  impl_->by_name.emplace(text, handle);
  return handle;
}

void Metrics::Impl::apply_to(Handle handle, double value, Labels values, bool set) {
  auto* family = find(handle);
  if (!family || values.size() != family->labels.size() || !std::isfinite(value)) return;
  with_series(*family, values, [&](const Series& series) { apply(series, value, set); }, handle);
}

template <class F>
void Metrics::Impl::with_series(Family& family, Labels values, F&& change, Handle handle) {
  const auto key = key_of(values);
  {
    const std::shared_lock lock(family.mutex);  // held while it is used: remove() destroys series
    if (const auto found = family.series.find(key); found != family.series.end()) return change(found->second);
  }
  bool full = false;
  {
    const std::unique_lock lock(family.mutex);
    auto found = family.series.find(key);
    full = found == family.series.end() && family.series.size() >= kMaxSeries;
    if (!full) {
      if (found == family.series.end()) {
        prometheus::Labels labels;
        for (std::size_t i = 0; i < values.size(); ++i) labels.emplace(family.labels[i], values[i]);
        const Series made = std::visit(
            [&]<class T>(prometheus::Family<T>* f) -> Series {
              if constexpr (std::is_same_v<T, prometheus::Histogram>)
                return &f->Add(labels, family.buckets);
              else
                return &f->Add(labels);
            },
            family.family);
        found = family.series.emplace(std::string(key), made).first;
      }
      change(found->second);
    }
  }
  if (full && handle != dropped) {
    const std::string_view name = family.name;
    apply_to(dropped, 1, {&name, 1}, false);
  }
}

void Metrics::add(Handle handle, double value, Labels values) { impl_->apply_to(handle, value, values, false); }
void Metrics::set(Handle handle, double value, Labels values) { impl_->apply_to(handle, value, values, true); }

void Metrics::add_counts(Handle handle, std::span<const double> more, double sum, Labels values) {
  auto* family = impl_->find(handle);
  if (!family || values.size() != family->labels.size() || family->kind != Kind::Histogram ||
      more.size() != family->buckets.size() + 1)
    return;
  const std::vector<double> counts(more.begin(), more.end());
  impl_->with_series(
      *family, values,
      [&](const Series& series) { std::get<prometheus::Histogram*>(series)->ObserveMultiple(counts, sum); }, handle);
}

void Metrics::remove(Handle handle, Labels values) {
  auto* family = impl_->find(handle);
  if (!family) return;
  const std::unique_lock lock(family->mutex);
  const auto found = family->series.find(key_of(values));
  if (found == family->series.end()) return;
  std::visit([&]<class T>(prometheus::Family<T>* f) { f->Remove(std::get<T*>(found->second)); }, family->family);
  family->series.erase(found);
}

std::shared_ptr<void> Metrics::on_read(std::function<void()> reader) {
  const std::lock_guard lock(impl_->readers_mutex);
  const auto at = impl_->readers.insert(impl_->readers.end(), std::move(reader));
  return {static_cast<void*>(&*at), [impl = impl_, at](void*) {
            const std::lock_guard again(impl->readers_mutex);
            impl->readers.erase(at);
          }};
}

std::string Metrics::to_text() {
  {
    const std::lock_guard lock(impl_->readers_mutex);
    for (const auto& reader : impl_->readers) reader();
  }
  const auto collected = impl_->registry.Collect();
  std::string out = prometheus::TextSerializer().Serialize(collected);
  std::set<std::string_view> there;
  for (const auto& family : collected) there.insert(family.name);
  const std::shared_lock lock(impl_->mutex);
  for (const Family& family :
       impl_->families)  // those without a value yet: what there is to watch is told all the same
    if (!there.contains(family.name))
      out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", family.name, escaped(family.help), family.name,
                         name_of(family.kind));
  return out;
}

}  // namespace trellis::host
