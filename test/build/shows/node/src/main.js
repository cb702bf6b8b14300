console.log(require("../node_modules/left")("hello", 8));
