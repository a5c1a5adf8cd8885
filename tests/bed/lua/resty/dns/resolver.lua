return require("resty.absent")
