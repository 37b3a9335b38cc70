//! Every behaviour this adapter claims, against the simulated exchange.

cex_compliance::suite!(cex_mexc::REGISTRATION, [("depth_interval", "100ms")]);
