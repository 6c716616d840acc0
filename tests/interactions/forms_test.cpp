#include "interactions/forms.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace trellis::host {
namespace {

namespace json = boost::json;

EntrySpec order() {
  EntrySpec form;
  form.kind = TL_MODAL;
  form.name = "order";
  form.text = "An order";
  ParamSpec dish, notes, who, size;
  dish.name = "dish";
  dish.text = "Which dish";
  dish.required = true;
  dish.min = 3;
  dish.max = 20;
  notes.name = "notes";
  notes.flags = TL_PARAM_PARAGRAPH;
  who.name = "who";
  who.value_kind = TL_ID;
  who.flags = TL_PARAM_USER;
  size.name = "size";
  size.text = "It says much more than a label can hold, so it stands below";
  size.value_kind = TL_INT;
  size.min = 1;
  size.max = 5;
  form.params = {dish, notes, who, size};
  return form;
}

TEST(Forms, FieldsAreWhatWasDeclared) {
  const json::object form = form_body("desk", order(), "12");
  EXPECT_EQ(form.at("custom_id"), "desk:order:12");
  EXPECT_EQ(form.at("title"), "An order");
  const json::array& labels = form.at("components").as_array();
  ASSERT_EQ(labels.size(), 4u);
  EXPECT_EQ(labels[0], json::parse(R"({"type": 18, "label": "Which dish", "component": {"type": 4, "custom_id": "dish",
      "style": 1, "required": true, "min_length": 3, "max_length": 20}})"));
  EXPECT_EQ(labels[1], json::parse(R"({"type": 18, "label": "notes", "component": {"type": 4, "custom_id": "notes",
      "style": 2, "required": false}})"));
  EXPECT_EQ(labels[2].at("component").at("type"), 5);
  EXPECT_EQ(labels[3].at("label"), "size");
  EXPECT_EQ(labels[3].at("description"), "It says much more than a label can hold, so it stands below");
  EXPECT_FALSE(labels[3].at("component").as_object().contains("max_length")) << "a number's limit is not its length";
}

TEST(Forms, ANameIsALabelInWholeCharacters) {
  EntrySpec form = order();
  form.params[1].name = "x";
  for (int i = 0; i < 40; ++i) form.params[1].name += "ü";
  const json::object made = form_body("desk", form, "");
  EXPECT_EQ(made.at("components").at(1).at("label"), json::string(form.params[1].name));
}

TEST(Forms, ChoicesAreASelect) {
  EntrySpec form = order();
  form.params[3].choices = {{"Small", std::int64_t{1}}, {"Large", std::int64_t{5}}};
  const json::object made = form_body("desk", form, "");
  const json::value& select = made.at("components").at(3).at("component");
  EXPECT_EQ(select.at("type"), 3);
  EXPECT_EQ(select.at("options"),
            json::parse(R"([{"label": "Small", "value": "1"}, {"label": "Large", "value": "5"}])"));
}

ParamSpec field(std::string name, std::uint32_t kind, std::uint32_t flags, bool required) {
  ParamSpec param;
  param.name = std::move(name);
  param.value_kind = kind;
  param.flags = flags;
  param.required = required;
  return param;
}

TEST(Forms, WhatCanBePickedTickedOrUploadedIsNotWritten) {
  EntrySpec form = order();
  form.params = {field("whom", TL_ID, TL_PARAM_MENTIONABLE, true), field("where", TL_ID, TL_PARAM_CHANNEL, false),
                 field("anywhere", TL_ID, TL_PARAM_CHANNEL, true), field("sure", TL_BOOL, 0, true),
                 field("proof", TL_JSON, TL_PARAM_ATTACHMENT, false)};
  form.params[1].channel_types = {0, 5};
  EXPECT_EQ(check_form(form), "");
  const json::object made = form_body("desk", form, "");
  const json::array& labels = made.at("components").as_array();
  ASSERT_EQ(labels.size(), 5u);
  const auto component = [&](std::size_t i) { return labels[i].at("component"); };
  EXPECT_EQ(component(0), json::parse(R"({"type": 7, "custom_id": "whom", "required": true})"));
  EXPECT_EQ(component(1),
            json::parse(R"({"type": 8, "custom_id": "where", "required": false, "channel_types": [0, 5]})"));
  EXPECT_EQ(component(2), json::parse(R"({"type": 8, "custom_id": "anywhere", "required": true})"));
  EXPECT_EQ(component(3), json::parse(R"({"type": 23, "custom_id": "sure"})"));
  EXPECT_EQ(component(4), json::parse(R"({"type": 19, "custom_id": "proof", "required": false})"));
}

TEST(Forms, WhatDiscordWouldNotShowIsRefused) {
  EXPECT_EQ(check_form(order()), "");
  EntrySpec form = order();
  form.text = "";
  EXPECT_NE(check_form(form), "");
  form.text = std::string(46, 'x');
  EXPECT_NE(check_form(form), "");
  form = order();
  form.params.clear();
  EXPECT_NE(check_form(form), "");
  form.params.assign(6, order().params[0]);
  EXPECT_NE(check_form(form), "");
  form = order();
  form.params = {field("anything", TL_JSON, 0, true)};
  EXPECT_EQ(check_form(form), "form \"order\": nobody can write anything into a form");
  EXPECT_THROW(form_body("desk", order(), std::string(100, 'x')), std::length_error);
}

}  // namespace
}  // namespace trellis::host
