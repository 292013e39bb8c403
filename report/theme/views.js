"use strict";
// Interactive views: each `div.view` holds its data and a static fallback, which stays where there is no script.
