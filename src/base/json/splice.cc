#include "base/json/splice.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "base/json/writer.h"

namespace weir::json {
namespace {

// Where the members of one object stand in the source.
struct Place {
  size_t key;        // the name's opening quote
  size_t value;      // the value's first byte
  size_t value_end;  // behind the value's last byte
  std::string name;
};

std::string member_text(std::string_view name, std::string_view json) {
  std::string text;
  append_quoted(text, name);
  text.push_back(':');
  text += json;
  return text;
}

std::vector<Place> places_of(Value object) {
  std::vector<Place> places;
  places.reserve(object.size());
  const auto members = object.members();
  for (auto it = members.begin(); it != members.end(); ++it) {
    const Value value = it.value();
    places.push_back({it.key().offset(), value.offset(), value.offset() + value.raw().size(),
                      it.key().string_or({})});
  }
  return places;
}

}  // namespace

std::string splice(std::string_view text, std::vector<Edit> edits) {
  // By place, insertions in front of what replaces bytes there, else as given.
  std::vector<const Edit*> order;
  order.reserve(edits.size());
  for (const Edit& edit : edits) order.push_back(&edit);
  std::sort(order.begin(), order.end(), [](const Edit* a, const Edit* b) {
    return std::tuple(a->offset, a->length != 0, a) < std::tuple(b->offset, b->length != 0, b);
  });
  size_t size = text.size();
  size_t done = 0;
  for (const Edit* edit : order) {
    WEIR_ASSERT(edit->offset >= done);  // overlaps the edit in front of it
    WEIR_ASSERT(edit->offset <= text.size() && edit->length <= text.size() - edit->offset);
    done = edit->offset + edit->length;
    size = size - edit->length + edit->replacement.size();
  }
  std::string out;
  out.reserve(size);
  done = 0;
  for (const Edit* edit : order) {
    out += text.substr(done, edit->offset - done);
    out += edit->replacement;
    done = edit->offset + edit->length;
  }
  out += text.substr(done);
  return out;
}

ObjectEditor::ObjectEditor(Value object) : object_(object) {
  WEIR_ASSERT(object.is_object());
}

ObjectEditor& ObjectEditor::set(std::string_view name, std::string_view json) {
  return change(name, json, false);
}

ObjectEditor& ObjectEditor::remove(std::string_view name) {
  return change(name, {}, true);
}

ObjectEditor& ObjectEditor::change(std::string_view name, std::string_view json, bool remove) {
  const auto same = std::find_if(changes_.begin(), changes_.end(),
                                 [name](const Change& change) { return change.name == name; });
  if (same == changes_.end()) {
    changes_.push_back({std::string(name), std::string(json), remove});
  } else {
    same->json = json;
    same->remove = remove;
  }
  return *this;
}

void ObjectEditor::append_to(std::vector<Edit>& edits) const {
  // One member that is there already, as the model's name is: the rest need not be looked at.
  if (changes_.size() == 1 && !changes_.front().remove) {
    if (const Value value = object_[changes_.front().name]) {
      edits.push_back({value.offset(), value.raw().size(), changes_.front().json});
      return;
    }
  }
  const std::vector<Place> places = places_of(object_);
  std::vector<bool> changed(changes_.size(), false);
  std::vector<const Place*> leading;  // removed members with no kept one in front
  bool any_kept = false;
  for (size_t i = 0; i < places.size(); ++i) {
    const Place& place = places[i];
    const auto change = std::find_if(changes_.begin(), changes_.end(),
                                     [&place](const Change& c) { return c.name == place.name; });
    if (change != changes_.end()) changed[static_cast<size_t>(change - changes_.begin())] = true;
    if (change != changes_.end() && change->remove) {
      if (!any_kept) {
        leading.push_back(&place);
      } else {
        // From behind the member in front, so its comma goes too.
        const size_t from = places[i - 1].value_end;
        edits.push_back({from, place.value_end - from, {}});
      }
      continue;
    }
    if (!any_kept && !leading.empty()) {
      edits.push_back({leading.front()->key, place.key - leading.front()->key, {}});
    }
    any_kept = true;
    if (change != changes_.end()) {
      edits.push_back({place.value, place.value_end - place.value, change->json});
    }
  }
  std::string added;
  for (size_t i = 0; i < changes_.size(); ++i) {
    if (changed[i] || changes_[i].remove) continue;
    if (any_kept || !added.empty()) added.push_back(',');
    added += member_text(changes_[i].name, changes_[i].json);
  }
  if (any_kept) {
    if (!added.empty()) edits.push_back({places.back().value_end, 0, std::move(added)});
  } else if (!places.empty()) {
    const size_t from = places.front().key;
    edits.push_back({from, places.back().value_end - from, std::move(added)});
  } else if (!added.empty()) {
    edits.push_back({object_.offset() + 1, 0, std::move(added)});
  }
}

Edit set_member(Value object, std::string_view name, std::string_view json) {
  std::vector<Edit> edits;
  ObjectEditor(object).set(name, json).append_to(edits);
  WEIR_ASSERT(edits.size() == 1);
  return std::move(edits.front());
}

std::optional<Edit> remove_member(Value object, std::string_view name) {
  std::vector<Edit> edits;
  ObjectEditor(object).remove(name).append_to(edits);
  if (edits.empty()) return std::nullopt;
  WEIR_ASSERT(edits.size() == 1);
  return std::move(edits.front());
}

}  // namespace weir::json
