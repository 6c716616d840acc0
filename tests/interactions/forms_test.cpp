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
  EXPECT_THROW(form_body("desk", order(), std::string(100, 'x')), std::length_error);
}

}  // namespace
}  // namespace trellis::host
